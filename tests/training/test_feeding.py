from __future__ import annotations

import multiprocessing
import os
import signal
import time

import pytest

from devos.data.batching import Batches
from devos.data.catalog import find_videos
from devos.data.trees import misplaced
from devos.errors import InputError, ListedError
from devos.training.config import debug
from devos.training.feeding import FeedingError, feeding

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


class Failing(Batches):
    """Its third batch cannot be made."""

    error: BaseException

    def __getitem__(self, index):
        if index == 2:
            raise self.error
        return super().__getitem__(index)


@pytest.fixture
def failing(video_root):
    def make(error: BaseException) -> Batches:
        batches = Failing(debug(num_steps=40).clips, find_videos(video_root))
        batches.error = error
        return batches

    return make


@pytest.fixture
def batches(video_root) -> Batches:
    return Batches(debug(num_steps=40).clips, find_videos(video_root))


def take(batches, workers, count=40):
    with feeding(batches, 0, workers) as fed:
        for number, _ in enumerate(fed, start=1):
            if number == count:
                break


def others():
    return multiprocessing.active_children()


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_an_error_of_a_clip_is_told_in_its_own_words_and_ends_those_that_make_clips_at_once(failing, workers, tmp_path):
    tree = misplaced(tmp_path / "no", "DAVIS", "ROOT/\n  JPEGImages/", "there is no such folder")
    for error, kind, words in (
        (InputError("ant/3.jpg cannot be read; fetch it again"), InputError, "ant/3.jpg cannot be read"),
        (tree, ListedError, "ROOT/\n    JPEGImages/"),
        (OSError(5, "Input/output error"), InputError, "step 2 cannot be made ([Errno 5] Input/output error)"),
        (MemoryError(), InputError, "step 2 cannot be made (MemoryError)"),
    ):
        begun = time.monotonic()
        with pytest.raises(kind) as told:
            take(failing(error), workers)
        assert words in str(told.value)
        assert "Traceback" not in str(told.value)
        assert others() == [] and time.monotonic() - begun < 10


def test_a_process_that_is_killed_is_one_line(batches):
    begun = time.monotonic()
    with (
        pytest.raises(FeedingError, match=r"ended by the system .*lack of memory"),
        feeding(batches, 0, 1) as fed,
    ):
        next(fed)
        os.kill(others()[0].pid, signal.SIGKILL)
        for _ in fed:
            pass
        time.sleep(5)  # it had made all that there are
    assert others() == [] and time.monotonic() - begun < 10


def test_left_in_the_middle_no_process_stays(batches):
    take(batches, 2, count=1)
    assert others() == []


def test_a_signal_to_all_does_not_end_those_that_make_clips(batches):
    """A terminal's Ctrl-C and torchrun's SIGTERM: the step at work still needs its clips."""
    with feeding(batches, 0, 1) as fed:
        next(fed)
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(others()[0].pid, number)
        assert sum(1 for _ in fed) == 39
