"""Spoilt files through every door: what is not read must be told in one line, soon, and without taking the memory.

    python benchmarks/fuzz.py                        # 1,000 cases, of all doors
    python benchmarks/fuzz.py --door weights -n 200 --seed 7
    python benchmarks/fuzz.py --case weights:7:31    # one of them again, with its traceback

A case is its door, a seed and a number, and is the same each time. The good file of each door is made here, spoilt in
a way that chance chooses (bytes flipped, cut, lengthened, moved, headers that lie), or is a bomb that somebody thought
of. Cases run in a process of their own, many in each; a case that ends it, or takes more than `SECONDS` or `MB`, is
found too.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import struct
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from doors import DOORS
from projects import write_section
from samples import packed, unpacked

from devos.errors import DevosError

LONGEST = 1500
"""Characters of an error."""
SECONDS, MB = 20.0, 1000.0
"""What a case may take, memory beyond what its process had before."""


def spoil(data: bytes, rng: random.Random) -> bytes:
    """Something that disks, networks and programs do to files."""
    spoilt = bytearray(data)
    near_start = rng.random() < 0.5  # where the headers are
    reach = min(len(spoilt), 400) if near_start else len(spoilt)
    for _ in range(rng.choice([1, 1, 2, 5, 40])):
        at, what = rng.randrange(max(1, reach)), rng.randrange(6)
        if what == 0:
            spoilt[at : at + 1] = bytes([rng.randrange(256)])
        elif what == 1:
            del spoilt[at : at + rng.choice([1, 4, 100, 10**9])]
        elif what == 2:
            spoilt[at:at] = rng.randbytes(rng.choice([1, 4, 1000]))
        elif what == 3:
            spoilt[at : at + 4] = struct.pack(rng.choice("<>") + "I", rng.choice([0, 1, 2**16, 2**31 - 1, 2**32 - 1]))
        elif what == 4:
            spoilt[at : at + 8] = bytes(8)
        else:
            piece = spoilt[at : at + 64]
            other = rng.randrange(max(1, len(spoilt)))
            spoilt[other : other + len(piece)] = piece
        reach = max(1, min(reach, len(spoilt)))
    return bytes(spoilt)


def make(door: str, seed: int, number: int) -> bytes:
    way, rng = DOORS[door], random.Random(f"{door}:{seed}:{number}")
    if number < len(way.bombs):
        return way.bombs[number]()
    if way.kind != "folder":
        return spoilt_file(way.good(), rng, is_json=way.kind == "json")
    files = unpacked(way.good())
    name = rng.choice(sorted(files))
    is_json = name.endswith((".json", ".jsonl"))
    return packed({**files, name: spoilt_file(files[name], rng, is_json=is_json)})


def spoilt_file(data: bytes, rng: random.Random, *, is_json: bool) -> bytes:
    """With other bytes or, where it is JSON, with other values."""
    if not is_json or rng.random() < 0.3:
        return spoil(data, rng)
    lines = data.splitlines()
    place = rng.randrange(len(lines)) if len(lines) > 1 and lines[0].endswith(b"]") else None
    text = data if place is None else lines[place]
    value = json.loads(text)
    for _ in range(rng.choice([1, 1, 2, 4])):
        value = twisted(value, rng)
    new = json.dumps(value).encode()
    return new if place is None else b"\n".join([*lines[:place], new, *lines[place + 1 :]]) + b"\n"


ODD: list[Any] = [
    None, True, -1, 0, 1, 2**31, 10**30, -(10**30), 0.5, float("nan"), float("inf"), "", "x", "../../../../stray",
    "/tmp/devos-stray", "\ud800", "a" * 5000, "0", [], {}, [[]], [0] * 100_000, {"a": {}}, "1/0", "a\0b",
]  # fmt: skip
"""What nobody expects where it is put."""


def twisted(value: Any, rng: random.Random) -> Any:
    """The same with something inside of it exchanged, taken out or doubled."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        if rng.random() < 0.15:
            return {name: one for name, one in value.items() if name != key}
        return {**value, key: twisted(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.randrange(len(value))
        if rng.random() < 0.2:
            return value[:place] + value[place + 1 :] * rng.choice([1, 2])
        return [*value[:place], twisted(value[place], rng), *value[place + 1 :]]
    return rng.choice(ODD)


def try_one(door: str, data: bytes) -> str:
    """`read`, `refused`, or the traceback of what must not be."""
    name, opened = DOORS[door].file, DOORS[door].open
    with tempfile.TemporaryDirectory(prefix="devos-fuzz-") as home:
        path = Path(home) / "in" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        found = "read"
        try:
            opened(path)
        except DevosError as error:
            long = "Traceback" in str(error) or len(str(error)) > LONGEST
            found = f"not a line for people: {str(error)[:300]!r}" if long else "refused"
        except Exception:
            found = traceback.format_exc()
        strays = [entry.name for entry in Path(home).iterdir() if entry.name != "in"]
        strays += [str(entry) for place in (path.parent, Path("/tmp")) for entry in place.glob("*stray*")]
    return f"wrote {strays}" if strays else found


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def work(door: str, seed: int, numbers: list[int], results: Any) -> None:
    """In a process of its own: a result for each case, with its seconds and the memory that it took."""
    try_one(door, DOORS[door].good())  # what a good file takes is normal
    for number in numbers:
        data, before, begun = make(door, seed, number), peak_mb(), time.monotonic()
        results.put((number, "begun", 0.0, 0.0))
        results.put((number, try_one(door, data), time.monotonic() - begun, peak_mb() - before))
    results.put(None)


def run_door(door: str, seed: int, numbers: list[int]) -> tuple[dict[str, int], list[str]]:
    """How many were read and refused; and what must not be, a text for each case."""
    counts, bad, left = {"read": 0, "refused": 0}, [], list(numbers)
    context = multiprocessing.get_context("spawn")
    while left:
        results = context.Queue()
        process = context.Process(target=work, args=(door, seed, left, results), daemon=True)
        process.start()
        current, patience = None, 120.0
        while True:
            try:
                got = results.get(timeout=patience)
            except Exception:
                why = "hung" if process.is_alive() else f"ended the process ({process.exitcode})"
                bad.append(f"{door}:{seed}:{current}: {why}")
                left = left[left.index(current) + 1 :] if current in left else []
                process.kill()
                break
            if got is None:
                left = []
                break
            number, what, seconds, mb = got
            if what == "begun":
                current, patience = number, 3 * SECONDS
                continue
            counts[what] = counts.get(what, 0) + 1 if what in counts else counts.get(what, 0)
            if what not in ("read", "refused"):
                bad.append(f"{door}:{seed}:{number}: {what}")
            if seconds > SECONDS or mb > MB:
                bad.append(f"{door}:{seed}:{number}: {seconds:.0f} s, {mb:.0f} MB")
        process.join(10)
    return counts, bad


RULE = """Seed {seed}. Wrong would be: anything but an answer or one line, more than 20 s, 1 GB above what a good file
takes, a process that ends, a file outside of its folder. Bombs (60,000 x 60,000 pictures, 10^9 frames, JSON nested
60,000 deep, headers beyond the file, zips of 256 MB of zeros, entities that grow) are the first cases of each door."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--door", choices=list(DOORS), action="append", help="only this; may be repeated")
    parser.add_argument("-n", type=int, default=1000, help="cases in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--markdown", type=Path, help="the page to put the results into")
    parser.add_argument("--case", help="DOOR:SEED:NUMBER, one of them again")
    given = parser.parse_args()
    if given.case:
        door, seed, number = given.case.split(":")
        print(try_one(door, make(door, int(seed), int(number))))
        return 0
    doors = given.door or list(DOORS)
    all_bad: list[str] = []
    lines = ["| door | tried | read | refused in a line | wrong |", "| --- | --- | --- | --- | --- |"]
    total = [0, 0, 0, 0]
    for door in doors:
        numbers = list(range(-(-given.n // len(doors))))
        counts, bad = run_door(door, given.seed, numbers)
        all_bad += bad
        row = [len(numbers), counts["read"], counts["refused"], len(bad)]
        total = [one + more for one, more in zip(total, row, strict=True)]
        lines.append(f"| {door} | {' | '.join(map(str, row))} |")
        print(lines[-1], flush=True)
    lines.append(f"| **all** | {' | '.join(f'{one:,}' for one in total)} |")
    print(lines[-1])
    if given.markdown and not given.door:
        write_section(given.markdown, "Malformed input", "\n".join(lines) + "\n\n" + RULE.format(seed=given.seed))
    print("\n".join(all_bad), file=sys.stderr)
    return 1 if all_bad else 0


if __name__ == "__main__":
    sys.exit(main())
