"""A batch on many machines, by Ray: its scheduling, its retries. Paths must lead to the same files on all of them."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from devos.errors import OptionError
from devos.extras import install
from devos.pipeline.batch import Doing, Job
from devos.pipeline.workers import Died, Ended, Task, Told, take_share

LOCAL = "auto"
"""The address that stands for a cluster of this machine alone."""
MAX_RETRIES = 3
"""How often a video is gone on with after its worker or its machine was lost."""


def do_on_cluster(task: Task, address: str, workers: int, threads: int) -> Doing:
    """What has `task` done by a cluster: `workers` at a time with `threads` each on this machine (`auto`), else as many
    at a time as the cluster has cores. OptionError where Ray, or the cluster, is not there.
    """
    ray = _ray()
    is_local = address == LOCAL
    if not is_local:
        _knock(address)
    share = threads if is_local else 1

    def do(jobs: Sequence[Job]) -> Iterator[Told | Ended | Died]:
        with _connected(ray, address, workers * threads):
            remote = ray.remote(num_cpus=share, max_retries=MAX_RETRIES)(_with_share)
            pending = {remote.remote(task, job, share): job for job in jobs}
            try:
                while pending:
                    for done in ray.wait(list(pending))[0]:
                        job = pending.pop(done)
                        try:
                            yield Ended(job, ray.get(done))
                        except ray.exceptions.RayError as error:
                            yield Died(job, " ".join(str(error).split())[:200])
            finally:
                for reference in pending:
                    ray.cancel(reference)  # as Ctrl-C in the worker: what is done stays whole
                if pending:
                    ray.wait(list(pending), num_returns=len(pending), timeout=20)

    return do


def _with_share(task: Task, job: Job, threads: int) -> Any:
    take_share(threads)
    return task(job, lambda value: None)


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise OptionError(f"--cluster needs Ray, which is not installed: {install('cluster')}; or leave --cluster out "
                          "to use this machine's own workers") from None  # fmt: skip
    return ray


def _knock(address: str) -> None:
    """OptionError where nobody answers; Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    try:
        if not colon:
            raise ValueError("it has no port")
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, ValueError, OverflowError) as error:
        raise _unanswered(address, error) from error


def _unanswered(address: str, error: Exception) -> OptionError:
    return OptionError(f"--cluster {address}: no Ray cluster answers there ({' '.join(str(error).split())[:120]}); "
                       "give its address, as in 10.0.0.1:6379, or auto")  # fmt: skip


@contextmanager
def _connected(ray: Any, address: str, num_cpus: int) -> Iterator[None]:
    """Ray for as long as the `with` lasts; SIGTERM keeps meaning what it meant."""
    before = signal.getsignal(signal.SIGTERM)
    local: dict[str, Any] = {"address": "local", "num_cpus": num_cpus, "include_dashboard": False}
    try:
        ray.init(log_to_driver=False, logging_level="ERROR", **(local if address == LOCAL else {"address": address}))
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _unanswered(address, error) from error
    try:
        signal.signal(signal.SIGTERM, before)
        yield
    finally:
        ray.shutdown()
