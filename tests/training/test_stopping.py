from __future__ import annotations

import signal
import threading

import pytest

from devos.training.stopping import listening


def test_a_second_ctrl_c_does_not_wait_for_the_step_to_end():
    with listening(alone=True) as stopping:
        signal.raise_signal(signal.SIGINT)
        assert stopping.number == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_one_of_several_processes_waits_for_the_others_however_often_it_is_asked():
    """torchrun passes a Ctrl-C on that has already come from the terminal."""
    with listening(alone=False) as stopping:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert stopping.number == signal.SIGINT


def test_training_in_a_thread_leaves_signals_alone():
    before, during = signal.getsignal(signal.SIGINT), []

    def work():
        with listening(alone=True) as stopping:
            during.append((signal.getsignal(signal.SIGINT), stopping.number))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert during == [(before, None)]
