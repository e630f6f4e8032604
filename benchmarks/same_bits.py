"""Does the same command give the same bits: twice, on 1, 2 and 4 threads, on each runtime, from the tree and the wheel.

    python benchmarks/same_bits.py                                        # a table; some minutes
    python benchmarks/same_bits.py --python WHEEL/bin/python --markdown docs/reliability.md

The first frames of the demo clip, as `devos segment` gives them; compared are the bytes of all masks and of the table,
with those of the first run of that runtime and precision. Where they differ, the least IoU of any frame is told.
`--python`: of an environment in which the wheel is installed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from projects import write_section

import devos

ASSETS = Path(devos.__file__).parent / "assets"
KINDS = (("torch", "float32"), ("onnx", "float32"), ("onnx", "int8"), ("openvino", "float32"), ("openvino", "int8"))


def run(python: str, out: Path, runtime: str, precision: str, threads: int, last: int) -> dict[str, str] | None:
    """What a run wrote, by its bytes; None where this runtime is not to be had."""
    command = [python, "-m", "devos", "segment", ASSETS / "bunny.mp4", "-m", ASSETS / "bunny.png", "-o", out, "--to",
               last, "--runtime", runtime, "--precision", precision, "--no-overlay"]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    if python != sys.executable:
        environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [str(one) for one in command], capture_output=True, text=True, env=environment, cwd=out.parent
    )
    if done.returncode:
        print(done.stderr.strip().splitlines()[-1], file=sys.stderr)
        return None
    used = json.loads((out / "run.json").read_text())["settings"]
    assert (used["runtime"], used["precision"]) == (runtime, precision), used
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (*(out / "masks").iterdir(), out / "objects.csv")}  # fmt: skip


def least_iou(a: Path, b: Path) -> float:
    """Of any frame, the object's."""
    values = []
    for one in sorted((a / "masks").iterdir()):
        x, y = (np.asarray(Image.open(folder / "masks" / one.name)) > 0 for folder in (a, b))
        values.append(float((x & y).sum() / max(1, (x | y).sum())))
    return min(values)


def row(home: Path, runtime: str, precision: str, python: str | None, last: int) -> str:
    """How each other run compares with the first one."""

    def at(name: str) -> Path:
        return home / f"{runtime}-{precision}-{name}"

    first = run(sys.executable, at("1"), runtime, precision, 1, last)
    if first is None:
        return f"| {runtime} {precision} | not to be had here |  |  |  |"
    cells = []
    for name, program, threads in (("again", sys.executable, 1), ("2", sys.executable, 2), ("4", sys.executable, 4),
                                   ("wheel", python, 1)):  # fmt: skip
        other = run(program, at(name), runtime, precision, threads, last) if program else None
        cells.append("not tried" if other is None else "same" if other == first
                     else "masks the same, the table's last digits not"
                     if all(other[key] == first[key] for key in first if key != "objects.csv")
                     else f"IoU {least_iou(at('1'), at(name)):.4f} or more")  # fmt: skip
    return f"| {runtime} {precision} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help="of an environment with the wheel")
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--markdown", type=Path, help="the page to put the results into")
    given = parser.parse_args()
    lines = ["| runtime | again | 2 threads | 4 threads | from the wheel |", "| --- | --- | --- | --- | --- |"]
    with tempfile.TemporaryDirectory(prefix="devos-bits-") as home:
        for runtime, precision in KINDS:
            lines.append(row(Path(home), runtime, precision, given.python, given.frames - 1))
            print(lines[-1], flush=True)
    if given.markdown:
        write_section(given.markdown, "Same bits", "\n".join(lines) + "\n\n" + PROMISE.format(frames=given.frames))


PROMISE = """Compared with one thread, the first {frames} frames of the demo clip. **Promised**: the same command, with
the same weights, runtime and precision, the same versions of the libraries, on the same machine with the same number
of threads, gives the same bytes: masks, table, record and overlay. `--resume` and `devos undo` rest on it. **Not
promised**, though it was so here: the same bytes with another number of threads; nor with another version of a
library, runtime, kind of CPU, or on a GPU. There, sums are added up in another order, and masks may differ in single
pixels of the edge: at least 0.99 IoU is what to expect of them ([runtimes](runtimes.md))."""


if __name__ == "__main__":
    main()
