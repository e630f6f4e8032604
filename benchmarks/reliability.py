"""The whole of docs/reliability.md, by one command: every part is run anew and put into the page.

    python benchmarks/reliability.py                    # all of it: about three hours on 2 cores
    python benchmarks/reliability.py --quick            # every part small, in minutes: does it run?
    python benchmarks/reliability.py fuzz faults        # these parts alone
    python benchmarks/reliability.py --root DAVIS       # with `sides`, which wants the masks of all frames

A part that fails stops nothing: what is left is run, the page keeps what it said of that part, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from projects import HEAD

import devos

HOME = Path(__file__).resolve().parent
ASSETS = Path(devos.__file__).parent / "assets"
PARTS = {
    "kills": ("projects.py kills", "--count 4"),
    "sides": ("projects.py sides", ""),
    "backwards": ("projects.py backwards", "--frames 300"),
    "correction": ("projects.py correction", ""),
    "cost": ("projects.py cost", "--repeats 1"),
    "fuzz": ("fuzz.py -n 1200", "-n 80"),
    "faults": ("faults.py", "--only kill"),
    "same_bits": ("same_bits.py", "--frames 3"),
    "frames": ("endurance.py frames", "--count 200"),
    "sessions": ("endurance.py sessions", "--count 3"),
    "corrections": ("endurance.py corrections", "--count 3"),
    "draw": ("endurance.py draw", ""),
}
"""Each part's command, and what makes it small."""


def command(part: str, page: Path, given: argparse.Namespace) -> list[str]:
    """What runs a part and puts it into the page."""
    full, small = PARTS[part]
    script, *words = full.split()
    words += small.split() if given.quick else []
    if part in ("correction", "cost"):
        words += ["--video", str(given.video), "--mask", str(given.mask)]
    if part == "sides":
        words += [word for root in given.root for word in ("--root", str(root))]
    if part == "same_bits" and given.wheel_python:
        words += ["--python", given.wheel_python]
    if script == "endurance.py":
        words += ["--samples", str(page.with_name("endurance.json")), "--picture", str(page.with_name("endurance.png"))]
    return [sys.executable, str(HOME / script), *words, "--markdown", str(page)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all unless named")
    parser.add_argument("--page", type=Path, default=HOME.parent / "docs" / "reliability.md")
    parser.add_argument("--quick", action="store_true", help="every part small; not for the page that is published")
    parser.add_argument("--video", type=Path, default=ASSETS / "bunny.mp4", help="of correction and cost")
    parser.add_argument("--mask", type=Path, default=ASSETS / "bunny.png")
    parser.add_argument("--root", type=Path, action="append", default=[], help="a data set in DAVIS' layout, of sides")
    parser.add_argument("--wheel-python", default="", help="of an environment with the wheel, for same_bits")
    given = parser.parse_args()
    page: Path = given.page.resolve()
    if page.exists():  # what it says before its parts is said here
        _, mark, parts = page.read_text(encoding="utf-8").partition("\n## ")
        page.write_text(HEAD + mark + parts, encoding="utf-8")
    failed = []
    for part in given.parts or PARTS:
        if part == "sides" and not given.root:
            print("sides: left out, for it wants --root", flush=True)
            continue
        print(f"== {part}", flush=True)
        if subprocess.run(command(part, page, given), cwd=HOME).returncode:
            failed.append(part)
    print(f"failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
