"""Start the processes that train one network on this machine, and end with them: what torchrun does, and no more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

from torch.distributed import TCPStore  # type: ignore[attr-defined]

_LOOKS_EVERY_S = 0.2
_GRACE_S = 20.0
"""How long the others may take to end by themselves once a process has failed."""


def is_started() -> bool:
    """Whether this is one of the processes that `launch`, or torchrun, has started."""
    return "RANK" in os.environ


def launch(num_processes: int, arguments: Sequence[str]) -> int:
    """Run `devos` with these arguments in so many processes that meet each other; the exit code of the first that
    fails, else 0. Ctrl-C and SIGTERM reach all of them.
    """
    # Kept here, it outlives a process that fails, and the others can read why they are alone.
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "WORLD_SIZE": str(num_processes),
              "TORCHELASTIC_USE_AGENT_STORE": "True"}  # fmt: skip
    processes = [
        subprocess.Popen([sys.executable, "-m", "devos", *arguments],
                         env=os.environ | common | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(num_processes)
    ]  # fmt: skip

    def hand_on(number: int, frame: FrameType | None) -> None:
        for process in processes:
            process.send_signal(number)

    # A terminal's Ctrl-C comes to all by itself.
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, hand_on),
              signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN)}  # fmt: skip
    try:
        return _wait(processes)
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(processes: Sequence[subprocess.Popen[bytes]]) -> int:
    """Until all have ended, or one has failed and the others have had time to."""
    failed_at = None
    code = 0
    while True:
        codes = [process.poll() for process in processes]
        failed = [one for one in codes if one]
        if failed and failed_at is None:
            failed_at, code = time.monotonic(), failed[0]
        if None not in codes or (failed_at is not None and time.monotonic() - failed_at > _GRACE_S):
            return 128 - code if code < 0 else code
        time.sleep(_LOOKS_EVERY_S)
