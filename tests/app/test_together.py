"""What comes to a project from outside of one page: videos and masks that are sent, another tab, a finger and a pen."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

DROP = """([name, type, text]) => {
    const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0)), data = new DataTransfer();
    data.items.add(new File([bytes], name, { type }));
    document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true, bubbles: true }));
}"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, write_video: Any, pictures: Any) -> Path:
    root = tmp_path_factory.mktemp("root")
    write_video(root / "clip.mp4", pictures(8))
    return root


@pytest.fixture(scope="module")
def server(root: Path, server_class: Any) -> Iterator[Any]:
    server = server_class(str(root), "--size", "64")
    yield server
    server.end()


@pytest.fixture
def opened(server: Any, page: Any) -> Callable[[str], None]:
    """Open a video of the start page's list."""

    def open_it(name: str) -> None:
        page.goto(f"{server.address}#start")
        page.click(f'#candidates button[title$="/{name}"]')
        page.wait_for_selector("#view[data-shown]")

    return open_it


def test_a_video_that_is_sent_is_kept_and_opened(
    server: Any, page: Any, root: Path, tmp_path: Path, write_video: Any, pictures: Any
) -> None:
    write_video(tmp_path / "clip.mp4", pictures(5))
    page.goto(server.address)
    page.wait_for_selector("#start-file")
    page.set_input_files("#file", str(tmp_path / "clip.mp4"))
    page.wait_for_selector("#view[data-shown]")
    assert page.text_content("#of") == "of 5"
    assert (root / "clip-2.mp4").read_bytes() == (tmp_path / "clip.mp4").read_bytes(), "and no other is replaced"

    page.click("#home")
    page.wait_for_selector("#opened button")
    page.set_input_files("#file", files=[{"name": "a.mp4", "mimeType": "video/mp4", "buffer": b"no video"}])
    page.wait_for_function("() => document.getElementById('start-error').textContent.includes('a.mp4')")
    assert not [path for path in root.iterdir() if path.name.startswith((".", "a"))], "nothing is left of it"


def test_a_mask_that_is_dropped_marks_the_frame(opened: Callable[[str], None], page: Any, hands: Any) -> None:
    opened("clip.mp4")
    labels = np.zeros((64, 96), np.uint8)
    labels[10:30, 20:50] = 5
    png = io.BytesIO()
    Image.fromarray(labels).save(png, "PNG")
    hands.go(2)
    hands.changing(lambda: page.evaluate(DROP, ["m.png", "image/png", base64.b64encode(png.getvalue()).decode()]))
    assert np.array_equal(hands.labels(2), labels)
    assert page.locator('[data-id="5"]').count() == 1
    page.evaluate(DROP, ["notes.txt", "text/plain", ""])
    assert "mask PNG" in page.text_content("#says")


def test_what_one_tab_does_the_other_shows_and_an_undo_of_what_it_has_not_seen_is_refused(
    opened: Callable[[str], None], page: Any, hands: Any, hands_class: Any
) -> None:
    opened("clip.mp4")
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector("#view[data-shown]")
    elsewhere = hands_class(other)
    for tab in (page, other):
        tab.keyboard.press("b")
    hands.go(4)
    elsewhere.go(4)
    hands.drag((20, 20), (30, 20))
    other.wait_for_function("() => devosPage.view.mask.labels.some(one => one)")
    elsewhere.drag((60, 40), (70, 40))
    page.wait_for_function("() => devosPage.view.mask.labels[40 * 96 + 65]")
    both = hands.labels(4)
    assert both[20, 25] and both[40, 65], "strokes add up"
    assert np.array_equal(elsewhere.labels(4), both)

    steps = other.evaluate("devosPage.state.steps.length")
    other.evaluate("devosPage.state.revision -= 1")  # as a tab that has not heard yet
    other.keyboard.press("Control+z")
    other.wait_for_function("() => document.getElementById('says').textContent.includes('has changed')")
    assert other.evaluate("devosPage.state.steps.length") == steps
    assert np.array_equal(hands.labels(4), both)


def test_a_finger_paints_two_fingers_move_the_picture_and_a_pens_eraser_erases(
    opened: Callable[[str], None], page: Any, hands: Any
) -> None:
    opened("clip.mp4")
    hands.go(6)
    page.keyboard.press("b")
    page.evaluate("devosPage.size(4)")
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *points: tuple[float, float]) -> None:
        places = [hands.place(*point) for point in points]
        touch.send("Input.dispatchTouchEvent", {
            "type": kind, "touchPoints": [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]})  # fmt: skip

    def stroke() -> None:
        fingers("touchStart", (20, 30))
        fingers("touchMove", (35, 30))
        fingers("touchEnd")

    hands.changing(stroke)
    painted = hands.labels(6)
    assert painted[30, 20] and painted[30, 35]

    scale = page.evaluate("devosPage.view.scale")
    fingers("touchStart", (40, 30), (50, 30))
    fingers("touchMove", (30, 30), (60, 30))
    fingers("touchEnd")
    assert page.evaluate("devosPage.view.scale") > 1.2 * scale
    assert np.array_equal(hands.labels(6), painted), "and nothing is drawn"

    pen = """([x, y]) => {
        const canvas = document.getElementById("view");
        const rest = { bubbles: true, pointerType: "pen", clientX: x, clientY: y };
        canvas.setPointerCapture = () => undefined;
        for (const [kind, buttons] of [["pointerdown", 32], ["pointerup", 0]]) {
            canvas.dispatchEvent(new PointerEvent(kind, { ...rest, button: 5, buttons }));
        }
    }"""
    hands.changing(lambda: page.evaluate(pen, list(hands.place(20, 30))))
    assert not hands.labels(6)[30, 20], "the pen's other end"
