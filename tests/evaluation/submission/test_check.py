"""Zips that somebody packed: what is wrong with them is said, and nothing in them is trusted."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devos.errors import InputError
from devos.evaluation.submission.check import CheckReport, check_submission
from devos.evaluation.submission.packing import plan_submission, write_submission
from devos.evaluation.submission.rules import RULES, Benchmark, Dataset, read_benchmark
from devos.io import davis_palette

Contents = dict[str, bytes]


@pytest.fixture
def packed(make, tmp_path: Path) -> Callable[[Dataset], tuple[Benchmark, Contents]]:
    """A benchmark, and the files of a good submission to it."""

    def pack(dataset: Dataset) -> tuple[Benchmark, Contents]:
        root, masks = make(dataset)
        benchmark = read_benchmark(dataset, root)
        path = write_submission(plan_submission(benchmark, masks), tmp_path / "good.zip", overwrite=True).path
        with zipfile.ZipFile(path) as archive:
            return benchmark, {name: archive.read(name) for name in archive.namelist()}

    return pack


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., CheckReport]:
    """Zip some files again, and check the zip."""

    def run(contents: Contents, benchmark: Benchmark | None = None, dataset: Dataset | None = None) -> CheckReport:
        path = tmp_path / "sent.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in contents.items():
                archive.writestr(name, data)
        return check_submission(path, rules=RULES[dataset] if dataset else None, benchmark=benchmark)

    return run


def png(labels: np.ndarray, mode: str = "P") -> bytes:
    picture = Image.fromarray(labels)
    if mode == "P":
        picture.putpalette(davis_palette().tobytes())
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()


def huge_png() -> bytes:
    """A PNG of 40 KB that claims 60000 x 60000 pixels."""
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + bytes(40000)


@pytest.mark.parametrize(
    ("dataset", "guessed"),
    [
        (Dataset.DAVIS, Dataset.DAVIS),
        (Dataset.YOUTUBE, Dataset.YOUTUBE),
        (Dataset.LVOS, Dataset.LVOS),
        (Dataset.MOSE2, Dataset.MOSE2),
        (Dataset.MOSE, Dataset.MOSE2),  # the two have one layout
    ],
)
def test_the_benchmark_is_guessed_from_layout_and_names(packed, check, dataset, guessed):
    report = check(packed(dataset)[1])
    assert report.is_guess and report.rules.dataset is guessed
    assert report.good == ("layout", "frame names", "PNG modes", "one size in each sequence", "no void")


def test_without_the_benchmark_the_number_of_sequences_is_held_against_the_known_one(packed, check):
    (problem,) = check(packed(Dataset.DAVIS)[1]).problems
    assert "3 instead of 30" in problem
    assert check(packed(Dataset.LVOS)[1]).problems == ()


def test_a_wrapper_folder_is_wrong_for_davis_and_seen_through_by_mose_v2(packed, check):
    benchmark, files = packed(Dataset.DAVIS)
    report = check({f"Annotations/{name}": data for name, data in files.items()}, benchmark)
    assert report.problems[0].startswith("a folder round the sequences' folders (1): Annotations/bear")
    assert "layout" not in report.good
    benchmark, files = packed(Dataset.MOSE2)
    report = check({f"out/{name}": data for name, data in files.items()}, benchmark)
    assert report.problems == ()
    assert "a folder round the sequences' folders, which the server sees through (1): out" in report.notes


@pytest.mark.parametrize("dataset", [Dataset.YOUTUBE, Dataset.LVOS])
def test_the_folder_annotations_must_be_there_where_the_server_reads_it(packed, check, dataset):
    benchmark, files = packed(dataset)
    report = check({name.removeprefix("Annotations/"): data for name, data in files.items()}, benchmark)
    assert "the root instead of Annotations" in report.problems[0]
    report = check({f"res/{name}": data for name, data in files.items()}, benchmark)
    assert report.problems[0].startswith("a folder round")


def test_one_folder_alone_is_refused_by_davis(packed, check):
    _, files = packed(Dataset.DAVIS)
    report = check({name: data for name, data in files.items() if name.startswith("bear/")}, dataset=Dataset.DAVIS)
    assert any(problem.startswith("only one sequence (1): bear") for problem in report.problems)


def test_what_a_mac_adds_is_named(packed, check):
    benchmark, files = packed(Dataset.MOSE2)
    extra = {"__MACOSX/002b4dce/._00000.png": b"x", "002b4dce/.DS_Store": b"x", "notes.txt": b"x"}
    (problem,) = check({**files, **extra}, benchmark).problems
    assert problem.startswith("files that are no masks (3): __MACOSX/002b4dce/._00000.png, 002b4dce/.DS_Store")


@pytest.mark.parametrize("name", ["../../evil.png", "/etc/evil.png", "bear\\..\\evil.png", "c:/evil/00000.png"])
def test_names_that_lead_out_are_named_and_nothing_is_unpacked(packed, check, tmp_path, name):
    benchmark, files = packed(Dataset.DAVIS)
    before = sorted(tmp_path.rglob("*"))
    (problem,) = check({**files, name: b"evil"}, benchmark).problems
    assert problem.startswith("names that lead out of the zip (1)") and repr(name) in problem
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "sent.zip"])


def test_an_entry_without_a_name_is_named(packed, check, tmp_path):
    benchmark, files = packed(Dataset.DAVIS)
    check({**files, "nameless.png": b""})
    path = tmp_path / "sent.zip"
    path.write_bytes(path.read_bytes().replace(b"nameless.png", b"\0ameless.png"))
    assert check_submission(path, benchmark=benchmark).problems[0].startswith("names that lead out of the zip (1): ''")


def test_bombs_are_not_unpacked(packed, check):
    benchmark, files = packed(Dataset.DAVIS)
    files["bear/00001.png"] = bytes(65 << 20)  # 65 KB in the zip
    files["bear/00002.png"] = huge_png()
    (problem,) = check(files, benchmark).problems
    assert "bear/00001.png (65 MiB, too large for a mask)" in problem
    assert "bear/00002.png (60000x60000, too large for a mask)" in problem


def test_masks_that_cannot_be_read_are_named(packed, check, tmp_path):
    benchmark, files = packed(Dataset.DAVIS)
    files["bear/00001.png"] = files["bear/00001.png"][:100]
    files["dog/00001.png"] = b"text"
    (problem,) = check(files, benchmark).problems
    assert "bear/00001.png (damaged)" in problem and "dog/00001.png (not a PNG)" in problem
    path = tmp_path / "flipped.zip"
    write_submission(plan_submission(benchmark, tmp_path / "masks"), path)
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF  # in the content of the first entry, whose checksum is wrong now
    path.write_bytes(data)
    (problem,) = check_submission(path, benchmark=benchmark).problems
    assert "bear/00000.png (damaged, or packed in a way that is not read)" in problem


def test_what_a_server_reads_wrongly_is_wrong_in_a_zip_even_where_submit_would_mend_it(packed, check, draw):
    benchmark, files = packed(Dataset.DAVIS)
    labels = draw.labels(draw.objects[0], 1)
    files["bear/00001.png"] = png(np.where(labels == 2, 255, labels).astype(np.uint8))
    files["bear/00002.png"] = png(labels.astype(np.uint16), "I;16")
    files["bear/00003.png"] = png(labels, "L")
    del files["dog/00000.png"]
    report = check(files, benchmark)
    assert sorted(problem.split(" (")[0] for problem in report.problems) == [
        "masks of 1 or 16 bits", "masks with void, 255", "missing masks",
    ]  # fmt: skip
    assert "grey masks (1): bear/00003.png" in report.notes
    assert report.good == ("layout", "sequences", "sizes")


def test_sequences_frames_and_ids_are_held_against_the_benchmark(packed, check, draw):
    benchmark, files = packed(Dataset.YOUTUBE)
    top = "Annotations"
    files[f"{top}/0043f083b5/00005.png"] = png(draw.labels({1: 0, 3: 0}, 1))
    files[f"{top}/another/00000.png"] = files.pop(f"{top}/0044fa5fba/00000.png")
    files[f"{top}/0044fa5fba/0005.png"] = files.pop(f"{top}/0044fa5fba/00005.png")
    files[f"{top}/003234408d/00010.png"] = png(np.zeros((32, 48), np.uint8))
    found = " | ".join(check(files, benchmark).problems)
    for fragment in (
        "folders that are no sequence of the benchmark (1): another",
        "missing masks (1): 0044fa5fba/00000.png",
        "frame names with other digits (1): 0044fa5fba/0005.png is 00005.png",
        "objects before the frame that first gives them (1): 0043f083b5/00005.png has 3",
        "003234408d/00010.png is 48x32, its frame 96x64",
    ):
        assert fragment in found


def test_the_zip_alone_shows_gaps_other_digits_two_sizes_and_void(packed, check, draw):
    _, files = packed(Dataset.DAVIS)
    del files["bear/00002.png"]
    files["dog/0004.png"] = files["dog/00003.png"]
    files["dog/00003.png"] = png(np.zeros((32, 48), np.uint8))
    labels = draw.labels(draw.objects[1], 0)
    files["car-race/00001.png"] = png(np.where(labels > 0, 255, 0).astype(np.uint8))
    report = check(files, dataset=Dataset.DAVIS)
    found = " | ".join(report.problems)
    for fragment in (
        "gaps in the frames' numbers (1): bear lacks 00002",
        "dog/0004.png (5 wanted)",
        "dog/00003.png is 48x32, its frame 96x64",
        "masks of 0 and 255 (1): car-race/00001.png",
    ):
        assert fragment in found
    assert not report.is_guess and report.good == ("layout", "PNG modes")


def test_a_name_that_is_an_endless_number_does_no_harm(packed, check):
    _, files = packed(Dataset.DAVIS)
    files["bear/" + "9" * 5000 + ".png"] = files["bear/00000.png"]
    files["bear/999999999999999999.png"] = files["bear/00000.png"]
    assert any("(5 wanted)" in problem for problem in check(files, dataset=Dataset.DAVIS).problems)


def test_masks_at_different_depths_or_twice_or_in_no_folder_are_named(packed, check, tmp_path):
    _, files = packed(Dataset.MOSE2)
    files["more/deep/002b4dce/00004.png"] = files["002b4dce/00000.png"]
    files["lost.png"] = files["002b4dce/00000.png"]
    found = " | ".join(check(files, dataset=Dataset.MOSE2).problems)
    assert "masks at different depths (3): lost.png is in no folder" in found
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "sent.zip", "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("002b4dce/00000.png", files["002b4dce/00000.png"])
    report = check_submission(tmp_path / "sent.zip", rules=RULES[Dataset.MOSE2])
    assert any(problem.startswith("names that are there twice (1): 002b4dce/00000.png") for problem in report.problems)


def test_what_is_no_zip_of_masks_is_told(check, tmp_path):
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(InputError, match=r"text\.zip is not a zip that can be read"):
        check_submission(tmp_path / "text.zip")
    with pytest.raises(InputError, match=r"nowhere\.zip cannot be read \(No such file"):
        check_submission(tmp_path / "nowhere.zip")
    with pytest.raises(InputError, match="cannot be read"):
        check_submission(tmp_path)
    with pytest.raises(InputError, match="holds no PNG in a folder"):
        check({"results.json": b"{}"})


def test_no_damage_to_a_zip_is_a_crash(packed, check, tmp_path):
    packed(Dataset.DAVIS)
    data = (tmp_path / "good.zip").read_bytes()
    path = tmp_path / "cut.zip"
    rng = np.random.default_rng(0)
    for _ in range(60):
        broken = bytearray(data)
        for place in rng.integers(0, len(data), 8):
            broken[place] = rng.integers(256)
        path.write_bytes(bytes(broken[: rng.integers(1, len(data))] if rng.random() < 0.2 else broken))
        with suppress(InputError):
            assert check_submission(path).num_masks <= 12
