"""Threads do not survive a fork: what computes with several of them would wait for ever. Told at once instead."""

from __future__ import annotations

import os

import torch

from devos.errors import DevosError

_computed_in: int | None = None
"""The process that computed first; a fork of it inherits this, but none of its threads."""


def refuse_after_fork(has_own_threads: bool) -> None:
    """DevosError in a process that was forked after its parent had computed, unless one thread does everything.

    `has_own_threads`: the network is computed by a runtime other than torch.
    """
    global _computed_in
    here = os.getpid()
    if _computed_in is None:
        _computed_in = here
    if _computed_in != here and (has_own_threads or torch.get_num_threads() > 1):
        raise DevosError("this process was forked from one that had used devos already, and threads do not survive "
                         "that; start it with multiprocessing's 'spawn', fork before devos is used, or call "
                         "torch.set_num_threads(1) and load with runtime='torch'")  # fmt: skip
