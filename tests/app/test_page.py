"""A person's whole job, done in a real browser; what the page shows is what lies on the disk."""

from __future__ import annotations

import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SMALL = ("--size", "128")


def on_disk(out: Path) -> dict[int, np.ndarray]:
    return {int(path.stem): np.array(Image.open(path)) for path in sorted((out / "masks").glob("*.png"))}


def test_a_rabbit_is_clicked_followed_corrected_undone_redone_and_taken_away(
    serve: Callable[..., Any], page: Any, hands: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    server = serve("-o", out, *SMALL)
    hands.open(server.address)
    hands.click(290, 250)
    hands.click(250, 330)
    assert (hands.labels(0) == 1).sum() > 20_000

    page.fill("#last", "23")
    page.click("#follow")
    hands.begun(3)
    hands.press("#stop")
    half = len(on_disk(out))
    assert 3 <= half < 24, "it stops within a frame, and what was done is kept"
    hands.follow()
    first = on_disk(out)
    assert len(first) == 24

    hands.go(18)
    page.keyboard.press("b")
    hands.drag((700, 100), (760, 140))  # a corner where no rabbit is
    painted = hands.labels(18)
    assert (painted != first[18]).sum() > 500
    hands.follow()
    corrected = on_disk(out)
    assert all(np.array_equal(corrected[i], first[i]) for i in range(18)), "what came before stands"
    assert np.array_equal(corrected[18], painted), "what was painted counts"
    assert any(not np.array_equal(corrected[i], first[i]) for i in range(19, 24))

    hands.press("#undo")
    assert all(np.array_equal(mask, first[i]) for i, mask in on_disk(out).items())
    assert np.array_equal(hands.labels(18), painted), "the stroke is still there, and not followed"
    hands.press("#redo")
    assert all(np.array_equal(mask, corrected[i]) for i, mask in on_disk(out).items())
    for frame in (0, 17, 18, 23):
        assert np.array_equal(hands.labels(frame), corrected[frame]), "masks on disk are what the page shows"

    page.click("#export")
    page.uncheck("#export-overlay")
    page.click("#export-more summary")
    page.check('#formats input[value="coco"]')
    assert page.text_content("#command").endswith("--to coco")
    with page.expect_download() as download:
        page.click("#export-go")
    with zipfile.ZipFile(download.value.path()) as archive:
        names = archive.namelist()
        assert sum(name.startswith("out/masks/") for name in names) == 24
        assert {
            "out/objects.csv",
            "out/run.json",
            "out/marks/00000.png",
            "out/marks/00018.png",
            "out/export/coco.json",
        } <= set(names)
        assert archive.read("out/masks/00023.png") == (out / "masks" / "00023.png").read_bytes()
    assert server.end(signal.SIGINT) == 130
    assert len(server.lines) == 2, server.lines


def test_two_objects_a_lock_both_directions_a_reload_and_a_killed_server_lose_nothing(
    serve: Callable[..., Any], page: Any, hands: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    server = serve("-o", out, *SMALL)
    hands.open(server.address)
    hands.go(20)
    page.keyboard.press("x")
    hands.drag((150, 60), (430, 400))
    page.keyboard.press("a")
    page.fill("#object-id", "7")
    page.fill("#object-name", "rock")
    page.keyboard.press("Enter")
    page.wait_for_function("() => devosPage.selected === 7")
    page.keyboard.press("p")
    for corner in ((600, 260), (760, 260), (760, 320)):
        page.mouse.click(*hands.place(*corner))
    hands.changing(lambda: page.keyboard.press("Enter"))
    marked = hands.labels(20)
    assert set(np.unique(marked)) == {0, 1, 7}

    page.select_option("#direction", "both")
    page.fill("#first", "16")
    page.fill("#last", "24")
    hands.follow()
    both = on_disk(out)
    assert sorted(both) == list(range(16, 25))

    hands.press('[data-id="7"] [aria-label^="lock"]')
    page.reload()
    page.wait_for_selector("#view[data-shown]")
    assert page.input_value('[data-id="7"] input') == "rock"
    assert page.get_attribute('[data-id="7"] [aria-label^="unlock"]', "aria-pressed") == "true"
    assert np.array_equal(hands.labels(20), both[20])

    page.click('[data-id="1"] .number')
    page.keyboard.press("e")
    hands.drag((200, 200), (330, 200), (690, 290))  # over both: the locked one keeps its own
    erased = hands.labels(20)
    assert (erased == 7).sum() == (both[20] == 7).sum()
    assert (erased == 1).sum() < (both[20] == 1).sum()

    server.end(signal.SIGKILL)
    again = serve("-o", out, *SMALL, port=server.port)
    hands.open(again.address)
    assert np.array_equal(hands.labels(20), erased)
    page.fill("#first", "19")
    page.fill("#last", "21")
    hands.follow()
    after = on_disk(out)
    assert sorted(after) == sorted(both)
    for frame, labels in after.items():
        assert np.array_equal(labels == 7, both[frame] == 7), "a locked object keeps every pixel"
        if not 19 <= frame <= 21:
            assert np.array_equal(labels, both[frame]), "outside of the range nothing changes"
    assert np.array_equal(hands.labels(20), after[20])
