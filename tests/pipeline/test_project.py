from __future__ import annotations

import csv
import hashlib
import importlib.util
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import devos
from devos.errors import InputError, MaskError, OptionError
from devos.io.labels import read_label_png, write_label_png
from devos.pipeline.segment import drained
from devos.pipeline.status import frames_to_look_at, status_of

NUM_FRAMES = 24


@pytest.fixture(scope="module")
def segmenter(weights):
    return devos.load(weights, size=64, device="cpu")


@pytest.fixture
def film(tmp_path, write_video, pictures):
    write_video(tmp_path / "film.mp4", pictures(NUM_FRAMES))
    return tmp_path / "film.mp4"


@pytest.fixture
def three(square):
    """Objects 1, 2 and 7 on a frame."""
    labels = square.astype(np.uint16)
    labels[2:14, 60:80] = 2
    labels[48:60, 40:70] = 7
    return labels


@pytest.fixture
def project(film, three, segmenter, tmp_path):
    """A project whose three objects were followed to the end."""
    made = devos.Project.create(tmp_path / "out", film, model=segmenter)
    made.annotate(0, three)
    assert len(list(made.run())) == NUM_FRAMES
    return made


def contents(project):
    """Every file that a person takes away, by its content."""
    out = project.folder.path
    files = (path for path in out.rglob("*") if path.is_file() and path.relative_to(out).parts[0] != "project")
    return {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
            if path.name != "timings.json"}  # fmt: skip


def masks_of(project):
    return {index: labels.copy() for index, labels in project.masks.items()}


def changed(labels):
    """The same with object 2 elsewhere."""
    labels = np.where(labels == 2, 0, labels).astype(np.uint16)
    labels[30:40, 70:90] = 2
    return labels


# correcting


def test_a_correction_changes_its_object_from_its_frame_on_and_nothing_else(project):
    before, files = masks_of(project), contents(project)
    given = changed(before[10])
    came = [masks.index for masks in project.correct({10: given})]
    after = masks_of(project)
    assert came == list(range(10, NUM_FRAMES))
    assert np.array_equal(after[10] == 2, given == 2)
    for index in range(NUM_FRAMES):
        for other in (1, 7):
            taken = (given == 2) & (before[index] == other) if index == 10 else np.zeros_like(given, bool)
            assert np.array_equal(after[index] == other, (before[index] == other) & ~taken)
    now = contents(project)
    for index in range(10):
        assert now[f"masks/{index:05d}.png"] == files[f"masks/{index:05d}.png"]
    with project.folder.table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * NUM_FRAMES


def test_a_correction_ends_before_the_next_frame_on_which_its_object_was_marked_or_with_its_range(project):
    drained(project.correct({18: changed(project.masks[18])}))
    files = contents(project)
    assert [m.index for m in project.correct({10: changed(project.masks[10])})] == list(range(10, 18))
    assert [m.index for m in project.correct({4: changed(project.masks[4])}, last=7)] == [4, 5, 6, 7]
    now = contents(project)
    same = [0, 1, 2, 3, 8, 9, *range(18, NUM_FRAMES)]
    assert all(now[f"masks/{i:05d}.png"] == files[f"masks/{i:05d}.png"] for i in same)


def test_a_correction_adds_objects_and_says_that_one_is_not_on_a_frame(project):
    labels = project.masks[12]
    labels[0:6, 0:6] = 9
    drained(project.correct({12: labels}, absent={12: [7]}))
    assert project.object_ids == (1, 2, 7, 9)
    assert (project.masks[12] == 9).sum() == 36 and not (project.masks[12] == 7).any()
    assert project.results[11].object_ids == (1, 2, 7) and project.results[23].object_ids == (1, 2, 7, 9)


def test_a_mask_that_says_nothing_new_is_refused_and_leaves_no_step(project):
    with pytest.raises(MaskError, match="nothing to correct"):
        drained(project.correct({10: project.masks[10]}))
    assert project.folder.history.head == 2


def test_where_a_mask_takes_pixels_of_another_object_the_mask_counts_on_its_frame_and_that_is_told(project):
    labels = project.masks[0].copy()
    labels[20:44, 10:20] = 2  # over half of object 1
    summary = drained(project.correct({0: labels}, objects=[2]))
    assert np.array_equal(project.masks[0] == 2, labels == 2)
    assert any("240 pixels of object 1" in note for note in summary.notes)


def test_what_is_locked_is_never_changed(project, three):
    before = masks_of(project)
    project.lock(objects=[1], frames=[(14, 16)])
    labels = before[10].copy()
    labels[20:44, 10:40] = 2  # over object 1
    drained(project.correct({10: labels}))
    after = masks_of(project)
    assert all(np.array_equal(after[i] == 1, before[i] == 1) for i in before)
    assert all(np.array_equal(after[i], before[i]) for i in (14, 15, 16))
    with pytest.raises(OptionError, match="object 1 is locked"):
        drained(project.correct({10: three}, objects=[1]))
    with pytest.raises(OptionError, match="frame 15 is locked"):
        drained(project.correct({15: changed(before[15])}))
    project.lock(objects=[1], unlock=True)
    drained(project.correct({10: three}, objects=[1]))
    assert np.array_equal(project.masks[10] == 1, three == 1)


def test_a_removed_object_leaves_background_where_it_was(project):
    before = masks_of(project)
    project.remove([2], 5, 9)
    for index, labels in project.masks.items():
        assert np.array_equal(
            labels, np.where(before[index] == 2, 0, before[index]) if 5 <= index <= 9 else before[index]
        )
    assert project.results[5].object_ids == (1, 7) and project.object_ids == (1, 2, 7)
    with pytest.raises(OptionError, match="there is no object 3; there are 1, 2, 7"):
        project.remove([3])


# undoing


def test_every_step_can_be_taken_back_and_done_again_to_the_same_bytes(project, read_video):
    states = [contents(project)]
    drained(project.correct({10: changed(project.masks[10])}))
    states.append(contents(project))
    project.remove([7])
    states.append(contents(project))
    drained(project.correct({3: changed(project.masks[3])}, last=5))
    states.append(contents(project))
    assert len({tuple(sorted(state.items())) for state in states}) == 4
    for state in reversed(states[:-1]):
        project.undo()
        assert contents(project) == state
    for state in states[1:]:
        project.redo()
        assert contents(project) == state
    assert len(read_video(project.folder.overlay)[1]) == NUM_FRAMES
    with pytest.raises(OptionError, match="nothing to redo"):
        project.redo()


def test_back_to_the_beginning_nothing_is_left_of_the_results(project):
    project.undo()
    assert not project.masks and not project.folder.overlay.exists()
    assert not list(project.folder.masks.iterdir())
    project.undo()
    with pytest.raises(OptionError, match="nothing to undo"):
        project.undo()


def test_a_new_step_forgets_what_was_undone(project):
    drained(project.correct({10: changed(project.masks[10])}))
    project.undo()
    project.remove([7])
    with pytest.raises(OptionError, match="nothing to redo"):
        project.redo()


def test_a_mask_that_another_program_changed_is_not_overwritten_unkept(project):
    folder, results = project.folder, project.results
    index = next(i for i in range(10, NUM_FRAMES) if results[i].mask not in folder.content)
    path = folder.mask_path(results[index].name)
    write_label_png(path, read_label_png(path) + 1)
    with pytest.raises(InputError, match="another program has changed it"):
        drained(project.correct({10: changed(project.masks[10])}))


# running


def test_leaving_the_iteration_stops_and_going_on_gives_the_bytes_of_an_unbroken_run(
    project, film, three, segmenter, tmp_path
):
    other = devos.Project.create(tmp_path / "broken", film, model=segmenter)
    other.annotate(0, three)
    with closing(other.run()) as running:
        for masks in running:
            if masks.index == 9:
                break
    done = len(other.masks)
    assert 10 <= done < NUM_FRAMES and status_of(other).state == "stopped"
    drained(other.run())
    assert contents(other) == contents(project)


def test_what_was_stopped_can_be_corrected_first_and_gone_on_with_later(film, three, segmenter, tmp_path):
    project = devos.Project.create(tmp_path / "out", film, model=segmenter)
    project.annotate(0, three)
    assert [m.index for m in project.run(last=9)] == list(range(10))
    drained(project.correct({4: changed(project.masks[4])}))
    assert max(project.masks) == 9
    drained(project.run())
    assert sorted(project.masks) == list(range(NUM_FRAMES))
    assert drained(project.run()) is None and "nothing to follow" in project.notes[0]


def test_both_directions_give_what_was_marked_on_both_ends_and_something_between(film, three, segmenter, tmp_path):
    project = devos.Project.create(tmp_path / "out", film, model=segmenter, direction="both")
    last = np.roll(three, 12, 1)
    project.annotate(3, three)
    project.annotate(20, last)
    drained(project.run())
    assert sorted(project.masks) == list(range(NUM_FRAMES))
    assert np.array_equal(project.masks[3], three) and np.array_equal(project.masks[20], last)
    assert not project.folder.scratch.exists()


def test_backwards_only_frames_before_the_mark_get_results(film, three, segmenter, tmp_path):
    project = devos.Project.create(tmp_path / "out", film, model=segmenter, direction="backward")
    project.annotate(12, three)
    assert [m.index for m in project.run()] == list(range(12, -1, -1))


def test_two_cannot_write_to_one_project(project):
    with project.folder.writing(), pytest.raises(devos.OutputError, match="another devos is writing there"):
        project.undo()


def test_another_video_in_its_place_is_refused(project, film, write_video, pictures):
    write_video(film, pictures(NUM_FRAMES)[::-1])
    with pytest.raises(InputError, match="is not the video that"):
        drained(project.correct({10: changed(project.masks[10])}))
    assert project.folder.history.head == 2


def test_status_names_the_worst_frames_of_different_moments_first_and_not_those_that_look_right(project):
    found = frames_to_look_at(project)
    assert found and [one.doubt for one in found] == sorted((one.doubt for one in found), reverse=True)
    assert all(abs(a.index - b.index) > 3 for a in found for b in found if a is not b)
    project.check_off([found[0].index])
    assert found[0].index not in [one.index for one in frames_to_look_at(project)]


def test_killed_at_any_moment_all_ends_in_the_same_bytes():
    """A handful here; `benchmarks/kills.py` kills a hundred times."""
    path = Path(__file__).parents[2] / "benchmarks" / "kills.py"
    spec = importlib.util.spec_from_file_location("kills", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows = module.kills(4, seed=1, kinds=("segment", "correct", "undo"), num_frames=48)
    assert sum(hit for _, hit, _ in rows) >= 4 and all(same for *_, same in rows)
