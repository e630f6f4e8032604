from __future__ import annotations

import _thread
import threading
import time

import pytest

from devos.pipeline.stages import ReadAhead, WriteBehind


def until(condition):
    """Wait for what another thread does; whether it has come."""
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)
    return condition()


# Reading ahead


def test_what_is_read_ahead_comes_in_order_and_whole():
    with ReadAhead((number for number in range(300)), most=3) as numbers:
        assert list(numbers) == list(range(300))
        assert next(numbers, None) is None


def test_no_more_is_read_ahead_than_allowed():
    made = []

    def source():
        for number in range(100):
            made.append(number)
            yield number

    with ReadAhead(source(), most=2) as numbers:
        for taken in range(1, 20):
            next(numbers)
            assert until(lambda taken=taken: len(made) >= taken + 3)  # two that wait, and one for which is no place
            time.sleep(0.002)
            assert len(made) == taken + 3


def test_an_error_while_reading_comes_at_its_turn_as_it_is():
    def source():
        yield 1
        yield 2
        raise FileNotFoundError("frame 3 is gone")

    got = []
    with pytest.raises(FileNotFoundError, match="frame 3 is gone"), ReadAhead(source(), most=5) as numbers:
        got.extend(numbers)
    with ReadAhead(source(), most=5) as numbers:
        got += [next(numbers), next(numbers)]
        with pytest.raises(FileNotFoundError):
            next(numbers)
        assert next(numbers, None) is None
    assert got == [1, 2, 1, 2]


def test_who_leaves_early_leaves_a_closed_generator_and_passes_on_his_own_error():
    closed_by = []

    def source():
        try:
            yield from range(100)
        finally:
            closed_by.append(threading.current_thread().name)

    with pytest.raises(ZeroDivisionError), ReadAhead(source(), most=2) as numbers:
        next(numbers)
        raise ZeroDivisionError
    assert closed_by == ["devos reads ahead"]


def test_an_error_ahead_of_where_one_left_is_not_told():
    def source():
        yield 1
        raise ValueError

    with ReadAhead(source(), most=2) as numbers:
        assert next(numbers) == 1


# Writing behind


def test_all_is_written_in_order_before_one_leaves():
    written = []

    def write(number):
        time.sleep(0.0005)
        written.append(number)

    with WriteBehind(write, most=2) as sink:
        for number in range(50):
            sink.put(number)
    assert written == list(range(50))


def test_who_is_too_fast_for_the_writer_waits():
    go_on, written, put = threading.Semaphore(0), [], []

    def write(number):
        go_on.acquire()
        written.append(number)

    def feed(sink):
        for number in range(10):
            sink.put(number)
            put.append(number)

    with WriteBehind(write, most=2) as sink:
        feeder = threading.Thread(target=feed, args=(sink,))
        feeder.start()
        for taken in range(7):
            assert until(lambda taken=taken: len(put) >= taken + 3)  # two that wait, and one being written
            time.sleep(0.002)
            assert len(put) == taken + 3
            go_on.release()
            assert until(lambda taken=taken: len(written) == taken + 1)
        go_on.release(10)
        feeder.join()
    assert written == list(range(10))


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_what_was_put_is_written_also_when_something_goes_wrong(error):
    written = []

    def write(number):
        time.sleep(0.002)
        written.append(number)

    with pytest.raises(error), WriteBehind(write, most=5) as sink:
        for number in range(5):
            sink.put(number)
        raise error
    assert written == list(range(5))


def test_an_error_while_writing_comes_out_of_the_next_put_and_nothing_more_is_written():
    written, put = [], []

    def write(number):
        if number == 2:
            raise OSError("the disk is full")
        written.append(number)

    with pytest.raises(OSError, match="the disk is full"), WriteBehind(write, most=2) as sink:
        for number in range(100):
            sink.put(number)
            put.append(number)
    assert written == [0, 1]
    assert len(put) <= 5


def test_an_error_while_writing_the_last_comes_out_on_leaving():
    def write(number):
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"), WriteBehind(write, most=2) as sink:
        sink.put(0)


def test_what_went_wrong_first_is_told():
    def write(number):
        raise OSError("the disk is full")

    with pytest.raises(ZeroDivisionError), WriteBehind(write, most=2) as sink:
        sink.put(0)
        raise ZeroDivisionError


def test_ctrl_c_while_the_last_are_written_ends_the_frame_at_hand_and_is_passed_on():
    begun, ended, leaving = [], [], threading.Event()

    def write(number):
        begun.append(number)
        if number == 1:
            leaving.wait()
            time.sleep(0.05)
            _thread.interrupt_main()
            time.sleep(0.3)
        ended.append(number)

    with pytest.raises(KeyboardInterrupt), WriteBehind(write, most=5) as sink:
        for number in range(5):
            sink.put(number)
        leaving.set()
    assert begun == ended == [0, 1]
