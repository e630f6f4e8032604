"""What fuzz.py does by chance, led by which lines of devos a case reaches (`pip install atheris`).

    python benchmarks/fuzz_by_coverage.py                          # a minute for each door that is quick to open
    python benchmarks/fuzz_by_coverage.py cvat manifest --seconds 600

A case is wrong as it is for `fuzz.py`: an exception that is not devos' own, or a line too long for people. It is kept
as a file in `--out`, named by its door; `python benchmarks/fuzz_by_coverage.py --try FILE DOOR` opens it again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from projects import write_section

QUICK = ("annotations", "cvat", "labelme", "manifest", "run", "report", "curve", "trained", "message", "state", "mask")
"""Doors behind which there is mostly Python of ours."""
TITLE = "Malformed input, led by coverage"
RULE = """`python benchmarks/fuzz_by_coverage.py --seconds {seconds}` (atheris): cases grow towards lines of devos that
none before has reached."""


def fuzz(door: str, seconds: int, out: Path) -> None:
    """In this very process, which atheris ends."""
    import atheris

    with atheris.instrument_imports(include=["devos"]):
        import doors
        import fuzz as by_chance

    # the checks of shapes ask a damaged mapping for a value
    import jaxtyping

    jaxtyping.config.update("jaxtyping_disable", True)
    samples = Path(tempfile.mkdtemp())
    for number in range(40):
        (samples / f"{number}").write_bytes(by_chance.make(door, 0, number))
    (samples / "good").write_bytes(doors.DOORS[door].good())

    def one(data: bytes) -> None:
        found = by_chance.try_one(door, data)
        if found not in ("read", "refused"):
            raise AssertionError(found)

    longest = max(path.stat().st_size for path in samples.iterdir() if path.stat().st_size < 1 << 16)
    arguments = [f"-max_total_time={seconds}", f"-max_len={2 * longest}", "-timeout=20", "-rss_limit_mb=3000",
                 f"-artifact_prefix={out}/{door}-", "-verbosity=0", "-print_final_stats=1"]  # fmt: skip
    atheris.Setup([sys.argv[0], *arguments, str(samples)], one)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("doors", nargs="*", help="as of fuzz.py; all that are quick unless named")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--out", type=Path, default=Path("found"))
    parser.add_argument("--markdown", type=Path, help="the page to put the results into")
    parser.add_argument("--try", dest="again", type=Path, metavar="FILE")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.again:
        import fuzz as by_chance

        print(by_chance.try_one(given.doors[0], given.again.read_bytes()))
        return 0
    given.out.mkdir(parents=True, exist_ok=True)
    if given.here:
        fuzz(given.doors[0], given.seconds, given.out.resolve())
    failed, lines = [], ["| door | cases | wrong |", "| --- | --- | --- |"]
    for door in given.doors or QUICK:
        command = [sys.executable, __file__, door, "--seconds", str(given.seconds), "--out", str(given.out), "--here"]
        ended = subprocess.run(command, capture_output=True, text=True, errors="replace", env=os.environ)
        executed = [line.split()[-1] for line in ended.stderr.splitlines() if "number_of_executed_units" in line]
        print(
            f"{door}: {(executed or ['?'])[0]} cases, {'none wrong' if not ended.returncode else 'WRONG'}", flush=True
        )
        if ended.returncode:
            failed.append(door)
            print("\n".join((ended.stdout + ended.stderr).splitlines()[-25:]), flush=True)
    if given.markdown:
        write_section(given.markdown, TITLE, "\n".join(lines) + f"\n\n{RULE.format(seconds=given.seconds)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
