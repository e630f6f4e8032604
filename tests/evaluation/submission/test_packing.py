"""What is packed, what is mended and what is refused, rule by rule."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from devos.errors import InputError, MaskError, OptionError, OutputError
from devos.evaluation.submission.check import check_submission
from devos.evaluation.submission.packing import Plan, plan_submission, write_submission
from devos.evaluation.submission.rules import RULES, Benchmark, Dataset, read_benchmark
from devos.io import davis_palette

LATER = (Dataset.YOUTUBE, Dataset.LVOS)
"""The benchmarks whose objects may come after the first frame."""


def plan_for(dataset: Dataset, folders: tuple[Path, Path]) -> Plan:
    return plan_submission(read_benchmark(dataset, folders[0]), folders[1])


def only_problem(plan: Plan) -> str:
    assert len(plan.problems) == 1, plan.problems
    return plan.problems[0]


# What is written


def test_good_masks_of_every_benchmark_are_packed_in_its_layout_and_pass_the_check(make, dataset, tmp_path, draw):
    root, masks = make(dataset)
    benchmark = read_benchmark(dataset, root)
    plan = plan_submission(benchmark, masks)
    assert plan.problems == ()
    done = write_submission(plan, tmp_path / "out" / "sent.zip")
    assert (done.num_sequences, done.num_masks, done.num_bytes) == (3, 12, done.path.stat().st_size)
    top = "Annotations/" if dataset in LATER else ""
    with zipfile.ZipFile(done.path) as archive:
        expected = [f"{top}{name}/{frame}.png" for name in draw.names[dataset] for frame in draw.frames(dataset)]
        assert archive.namelist() == sorted(expected)
    report = check_submission(done.path, benchmark=benchmark)
    assert (report.problems, report.num_masks, report.is_guess) == ((), 12, False)
    assert report.good == ("layout", "sequences", "frames", "PNG modes", "sizes", "ids")


def test_the_zip_holds_the_ids_as_8_bit_palette_pngs_of_pascal_voc(make, tmp_path, draw):
    plan = plan_for(Dataset.YOUTUBE, make(Dataset.YOUTUBE))
    path = write_submission(plan, tmp_path / "sent.zip").path
    with zipfile.ZipFile(path) as archive, archive.open("Annotations/0043f083b5/00015.png") as file:
        picture = Image.open(file)
        assert picture.mode == "P" and picture.getpalette() == davis_palette().ravel().tolist()
        assert np.array_equal(np.asarray(picture), draw.labels(draw.objects[1], 3))


def test_the_same_masks_make_the_same_file_whatever_their_form_and_when(make, tmp_path, draw):
    root, masks = make(Dataset.MOSE2)
    first = write_submission(plan_for(Dataset.MOSE2, (root, masks)), tmp_path / "a.zip").path.read_bytes()
    for path in masks.rglob("*.png"):
        draw.save(path, np.asarray(Image.open(path)).astype(np.uint8))  # grey, and written later
    second = write_submission(plan_for(Dataset.MOSE2, (root, masks)), tmp_path / "b.zip").path.read_bytes()
    assert first == second


def test_a_zip_that_is_there_is_replaced_only_on_demand_and_must_end_in_zip(make, tmp_path):
    plan = plan_for(Dataset.MOSE, make(Dataset.MOSE))
    out = tmp_path / "sent.zip"
    out.write_text("precious")
    with pytest.raises(OutputError, match=r"sent\.zip is there already; replace it with --overwrite"):
        write_submission(plan, out)
    assert out.read_text() == "precious"
    write_submission(plan, out, overwrite=True)
    assert zipfile.is_zipfile(out)
    with pytest.raises(OutputError, match=r"does not end in \.zip"):
        write_submission(plan, tmp_path / "sent")


def test_nothing_is_left_behind_where_packing_fails(make, tmp_path):
    root, masks = make(Dataset.MOSE)
    plan = plan_for(Dataset.MOSE, (root, masks))
    (masks / "e607450d" / "00003.png").write_bytes(b"changed since")
    with pytest.raises(MaskError, match=r"e607450d/00003\.png has changed while"):
        write_submission(plan, tmp_path / "new" / "sent.zip")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_plan_with_problems_is_not_written(make, tmp_path):
    root, masks = make(Dataset.MOSE)
    (masks / "002b4dce" / "00002.png").unlink()
    with pytest.raises(MaskError, match="nothing is written"):
        write_submission(plan_for(Dataset.MOSE, (root, masks)), tmp_path / "sent.zip")
    assert not (tmp_path / "sent.zip").exists()


# What is mended, and said


def test_the_last_mask_may_not_be_missing_but_the_first_is_given(make, dataset, draw):
    root, masks = make(dataset)
    names, name = draw.frames(dataset), draw.names[dataset][0]
    (masks / name / f"{names[0]}.png").unlink()
    plan = plan_for(dataset, (root, masks))
    assert plan.problems == () and len(plan.entries) == 12
    assert f"first masks that were missing, taken from the benchmark (1): {name}/{names[0]}.png" in plan.notes
    (masks / name / f"{names[3]}.png").unlink()
    assert f"missing masks (1): {name}/{names[3]}.png" in only_problem(plan_for(dataset, (root, masks)))


def test_void_beside_an_object_becomes_background_and_void_alone_is_refused(make, tmp_path, draw):
    root, masks = make(Dataset.DAVIS)
    path = masks / "bear" / "00001.png"
    labels = draw.labels(draw.objects[0], 1)
    labels[:4] = 255
    draw.save(path, labels, davis_palette().tobytes())
    plan = plan_for(Dataset.DAVIS, (root, masks))
    assert "masks with void, 255, written as background (1): bear/00001.png" in plan.notes
    path_of_zip = write_submission(plan, tmp_path / "sent.zip").path
    with zipfile.ZipFile(path_of_zip) as archive, archive.open("bear/00001.png") as file:
        assert set(np.unique(np.asarray(Image.open(file)))) == {0, 1, 2}
    draw.save(path, np.where(labels > 0, 255, 0).astype(np.uint8))
    assert "masks of 0 and 255 (1): bear/00001.png" in only_problem(plan_for(Dataset.DAVIS, (root, masks)))


def test_255_is_an_object_where_meta_json_lists_it(make, tmp_path, draw):
    root, masks = make(Dataset.MOSE2)
    meta = json.loads((root / "meta.json").read_text())
    meta["videos"]["002b4dce"]["objects"] = {"255": {}}
    (root / "meta.json").write_text(json.dumps(meta))
    for path in [*(masks / "002b4dce").iterdir(), root / "Annotations" / "002b4dce" / "00000.png"]:
        draw.save(path, np.where(np.asarray(Image.open(path)) > 0, 255, 0).astype(np.uint8))
    plan = plan_for(Dataset.MOSE2, (root, masks))
    assert plan.problems == ()
    path_of_zip = write_submission(plan, tmp_path / "sent.zip").path
    with zipfile.ZipFile(path_of_zip) as archive, archive.open("002b4dce/00001.png") as file:
        assert set(np.unique(np.asarray(Image.open(file)))) == {0, 255}


def test_masks_that_the_server_does_not_want_are_left_out(make, draw):
    root, masks = make(Dataset.YOUTUBE)
    for number in (1, 2, 19):  # between the frames that meta.json asks for, as from the set of all frames
        draw.save(masks / "003234408d" / f"{number:05d}.png", draw.labels(draw.objects[0], 0))
    draw.save(masks / "of-another-set" / "00000.png", draw.labels(draw.objects[0], 0))
    plan = plan_for(Dataset.YOUTUBE, (root, masks))
    assert plan.problems == () and len(plan.entries) == 12
    assert any(note.startswith("masks of frames that the server does not want, left out (3)") for note in plan.notes)
    assert any("of-another-set" in note for note in plan.notes)


def test_masks_where_devos_segment_leaves_them_are_found(make):
    root, masks = make(Dataset.DAVIS)
    for home in list(masks.iterdir()):
        home.rename(masks / "moved")
        home.mkdir()
        (masks / "moved").rename(home / "masks")
        (home / "run.json").write_text("{}")
    assert plan_for(Dataset.DAVIS, (root, masks)).problems == ()


# What is refused, rule by rule


def remove_sequence(masks: Path, _: Any) -> None:
    for path in (masks / "bear").iterdir():
        path.unlink()


def name_with_four_digits(masks: Path, _: Any) -> None:
    (masks / "bear" / "00002.png").rename(masks / "bear" / "0002.png")


def count_from_one(masks: Path, _: Any) -> None:
    for index in (3, 2, 1, 0):
        (masks / "bear" / f"{index:05d}.png").rename(masks / "bear" / f"{index + 1:05d}.png")


def save_as_rgb(masks: Path, _: Any) -> None:
    path = masks / "bear" / "00002.png"
    Image.open(path).convert("RGB").save(path)


def halve(masks: Path, _: Any) -> None:
    path = masks / "bear" / "00002.png"
    Image.open(path).resize((48, 32), Image.Resampling.NEAREST).save(path)


def swap_palette(masks: Path, draw: Any) -> None:
    path = masks / "bear" / "00002.png"
    labels = np.asarray(Image.open(path))
    draw.save(
        path, np.where(labels == 0, 1, np.where(labels == 1, 0, labels)).astype(np.uint8), bytes((9, 9, 9, 0, 0, 0))
    )


def add_id(masks: Path, draw: Any) -> None:
    draw.save(masks / "bear" / "00002.png", draw.labels({1: 0, 7: 0}, 2))


def add_id_of_16_bits(masks: Path, draw: Any) -> None:
    draw.save(masks / "bear" / "00002.png", draw.labels({1: 0, 2: 0}, 2).astype(np.uint16) * 300)


def truncate(masks: Path, _: Any) -> None:
    path = masks / "bear" / "00002.png"
    path.write_bytes(path.read_bytes()[:90])


def save_as_jpeg(masks: Path, _: Any) -> None:
    Image.open(masks / "bear" / "00002.png").convert("L").save(masks / "bear" / "00002.png", format="JPEG")


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (remove_sequence, "missing sequences (1): bear"),
        (name_with_four_digits, "frame names with other digits (1): bear/0002.png is 00002.png"),
        (count_from_one, "masks that belong to no frame (1): bear/00004.png"),
        (save_as_rgb, "colour pictures instead of ids (1): bear/00002.png (mode RGB)"),
        (halve, "masks of another size than their frame (1): bear/00002.png is 48x32, its frame 96x64"),
        (swap_palette, "palettes that a picture program has reordered (1): bear/00002.png"),
        (add_id, "ids that the first masks do not have (1): bear/00002.png has 7 (may have 1, 2)"),
        (add_id_of_16_bits, "ids that the first masks do not have (1): bear/00002.png has 300, 600 (may have 1, 2)"),
        (truncate, "masks that cannot be read (1): bear/00002.png (damaged)"),
        (save_as_jpeg, "masks that cannot be read (1): bear/00002.png (not a PNG)"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named_with_its_place(make, draw, break_it, message):
    root, masks = make(Dataset.DAVIS)
    break_it(masks, draw)
    assert only_problem(plan_for(Dataset.DAVIS, (root, masks))).startswith(message)


@pytest.mark.parametrize("dataset", LATER)
def test_an_object_may_not_be_there_before_the_frame_that_gives_it(make, dataset, draw):
    root, masks = make(dataset)
    name, frame = draw.names[dataset][1], draw.frames(dataset)[1]
    draw.save(masks / name / f"{frame}.png", draw.labels({1: 0, 3: 0}, 1))
    problem = only_problem(plan_for(dataset, (root, masks)))
    assert problem.startswith(f"objects before the frame that first gives them (1): {name}/{frame}.png has 3")


def test_davis_knows_the_objects_of_the_very_first_mask_only(make, draw):
    root, masks = make(Dataset.DAVIS)
    draw.save(root / "Annotations" / "480p" / "bear" / "00002.png", draw.labels({5: 0}, 2))
    draw.save(masks / "bear" / "00003.png", draw.labels({1: 0, 5: 0}, 3))
    assert "has 5 (may have 1, 2)" in only_problem(plan_for(Dataset.DAVIS, (root, masks)))


def test_every_kind_is_listed_with_its_count_and_the_first_few(make):
    root, masks = make(Dataset.MOSE)
    for path in sorted(masks.rglob("*.png"))[:5]:
        Image.open(path).convert("RGB").save(path)
    (masks / "e607450d" / "00003.png").unlink()
    problems = plan_for(Dataset.MOSE, (root, masks)).problems
    assert len(problems) == 2
    assert any(line.startswith("colour pictures instead of ids (5): ") for line in problems)
    assert any("002b4dce/00001.png (mode RGB), ...; save palette or grey PNGs" in line for line in problems)


@pytest.mark.parametrize("dataset", [Dataset.DAVIS, Dataset.MOSE2, Dataset.LVOS])
def test_one_sequence_alone_is_refused_where_the_server_would_stumble(make, dataset):
    root, masks = make(dataset)
    benchmark = read_benchmark(dataset, root)
    alone = Benchmark(benchmark.rules, root, benchmark.sequences[:1])
    assert only_problem(plan_submission(alone, masks)).startswith("only one sequence (1)")


# Folders that are not what they should be


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("nowhere", "nowhere is no folder"),
        (".", "holds no sequence, but .*masks does; give that folder"),
        ("root", "is a benchmark's own folder; give the folder of your masks"),
        ("masks/bear", "bear is one sequence's folder; give the folder that holds all"),
        ("root/ImageSets", r"holds no masks of DAVIS 2017 test-dev; expected .*ImageSets/bear/00000\.png"),
    ],
)
def test_a_wrong_folder_of_masks_is_told_with_what_to_give(make, tmp_path, folder, message):
    root, _ = make(Dataset.DAVIS)
    with pytest.raises(InputError, match=message):
        plan_for(Dataset.DAVIS, (root, tmp_path / folder))


def test_a_benchmark_s_folder_that_is_not_whole_is_told(make, tmp_path):
    root, masks = make(Dataset.MOSE2)
    with pytest.raises(InputError, match="is not a DAVIS-layout folder"):
        read_benchmark(Dataset.MOSE2, masks)
    (root / "JPEGImages" / "002b4dce" / "00003.jpg").unlink()
    with pytest.raises(InputError, match=r"has 3 pictures, but meta\.json says 4"):
        read_benchmark(Dataset.MOSE2, root)
    (root / "meta.json").write_text('{"videos": {"e607450d": {}, "gone": {}}}')
    with pytest.raises(InputError, match=r"names 1 sequences .* does not have \(gone\)"):
        read_benchmark(Dataset.MOSE2, root)
    (root / "meta.json").write_text("[]")
    with pytest.raises(InputError, match=r"meta\.json cannot be read"):
        read_benchmark(Dataset.MOSE2, root)


def test_davis_needs_the_list_of_its_sequences(make):
    root, _ = make(Dataset.DAVIS)
    (root / "ImageSets" / "2017" / "test-dev.txt").unlink()
    with pytest.raises(InputError, match=r"has no lists, as ImageSets/2017/test-dev\.txt"):
        read_benchmark(Dataset.DAVIS, root)


def test_first_masks_must_be_there_and_mark_an_object(make, draw):
    root, _ = make(Dataset.MOSE)
    path = root / "Annotations" / "0a1b2c3d" / "00000.png"
    draw.save(path, np.zeros((64, 96), np.uint8))
    with pytest.raises(MaskError, match=r"first mask of sequence 0a1b2c3d, .* marks no object"):
        read_benchmark(Dataset.MOSE, root)
    path.unlink()
    with pytest.raises(MaskError, match="is not there"):
        read_benchmark(Dataset.MOSE, root)


# Sets and frames


def test_the_frames_of_youtube_vos_are_those_of_meta_json_or_every_nth(make):
    root, _ = make(Dataset.YOUTUBE)
    meta = json.loads((root / "meta.json").read_text())
    meta["videos"] = {"0044fa5fba": {"objects": {"1": {"frames": ["00005", "00010"]}, "4": {"frames": ["00000"]}}}}
    (root / "meta.json").write_text(json.dumps(meta))
    assert read_benchmark(Dataset.YOUTUBE, root).sequences[0].wanted == ("00000", "00005", "00010")
    assert read_benchmark(Dataset.YOUTUBE, root, every=2).sequences[0].wanted == ("00000", "00010")
    with pytest.raises(OptionError, match="--every is for youtube-vos only"):
        read_benchmark(Dataset.MOSE, root, every=2)


def test_the_folder_of_all_frames_takes_first_masks_and_meta_json_from_its_sibling(make, tmp_path, draw):
    _, masks = make(Dataset.YOUTUBE)
    everything = tmp_path / "root_all_frames"
    for name in draw.names[Dataset.YOUTUBE]:
        for number in range(18):
            draw.save(everything / "JPEGImages" / name / f"{number:05d}.jpg", np.zeros((64, 96, 3), np.uint8))
    benchmark = read_benchmark(Dataset.YOUTUBE, everything)
    sequence = next(sequence for sequence in benchmark.sequences if sequence.name == "0043f083b5")
    assert sequence.wanted == ("00000", "00005", "00010", "00015")
    assert len(sequence.pictures) == 18
    assert sequence.objects == {1: "00000", 3: "00010"}
    assert plan_submission(benchmark, masks).problems == ()


def test_davis_of_2019_takes_proposals_up_to_20_without_first_masks(make, draw):
    root, masks = make(Dataset.DAVIS)
    (root / "ImageSets" / "2019").mkdir()
    (root / "ImageSets" / "2019" / "test-challenge.txt").write_text("bear\ndog\n")
    benchmark = read_benchmark(Dataset.DAVIS, root, split="2019/test-challenge")
    assert [sequence.name for sequence in benchmark.sequences] == ["bear", "dog"]
    draw.save(masks / "bear" / "00002.png", draw.labels({20: 0}, 2))
    assert plan_submission(benchmark, masks).problems == ()
    draw.save(masks / "bear" / "00002.png", draw.labels({21: 0}, 2))
    assert "bear/00002.png has 21" in only_problem(plan_submission(benchmark, masks))
    with pytest.raises(InputError, match=r"no list 2018/test-dev\.txt"):
        read_benchmark(Dataset.DAVIS, root, split="2018/test-dev")


def test_a_set_of_another_size_than_the_benchmark_s_is_noted(make):
    root, _ = make(Dataset.DAVIS)
    notes = read_benchmark(Dataset.DAVIS, root).notes
    assert any("has 3 sequences, but DAVIS 2017 test-dev has 30" in note for note in notes)


def test_every_benchmark_says_where_to_upload():
    assert set(RULES) == set(Dataset)
    assert all("https://" in rules.server for rules in RULES.values())
