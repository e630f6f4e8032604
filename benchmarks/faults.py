"""What goes wrong around a run, done to it on purpose: what it says, how it ends, and whether it can be gone on with.

    python benchmarks/faults.py                                  # a table; about five minutes
    python benchmarks/faults.py --only "full disk"               # what has this in its name
    python benchmarks/faults.py --markdown docs/reliability.md   # into the page

Linux; a full disk, a target that is read-only and a machine without /tmp are made in mount namespaces of their own
(`unshare -m`), which needs root. Each case runs `devos segment` on a small clip in a process of its own, does something
to it, and looks: the exit code, what was said (never a traceback), what lies on the disk, and whether `--resume` ends
in the bytes of a run to which nothing was done.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from endurance import label, make_clip
from PIL import Image
from projects import write_section

NUM_FRAMES = 240
signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # a shell's background jobs are deaf to Ctrl-C, and so their own
BACK = """
import os, sys, time
real, begun = time.time, time.time()
def set_back():
    return real() - (86_400 if real() - begun > 3 else 0)
time.time = set_back
from devos.cli.main import run
run()
"""
"""The command, on a machine whose clock is set back by a day three seconds after its start."""


class Run:
    """One run in a folder of its own: the command, the clip, what it said."""

    def __init__(self, home: Path, clip: Path, first: Path) -> None:
        self.home, self.out = home, home / "out"
        self.clip = home / "clip.mp4"
        shutil.copyfile(clip, self.clip)
        self.first, self.said, self.code = first, "", 0
        self.environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}

    def command(self, *options: str, clip: Path | None = None) -> list[str]:
        places = [str(clip or self.clip), "-m", str(self.first), "-o", str(self.out)]
        return [sys.executable, "-m", "devos", "segment", *places, "--size", "64", *options]

    def start(self, command: list[str], **more: object) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", cwd=self.home,
            env=self.environment, **more,
        )  # fmt: skip
        return self.process

    def end(self) -> int:
        try:
            self.said = self.process.communicate(timeout=180)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.said = self.process.communicate()[1] + "\nHUNG"
        self.code = self.process.returncode
        return self.code

    def whole(self, command: list[str], **more: object) -> int:
        self.start(command, **more)
        return self.end()

    def begun(self, frames: int = 60) -> None:
        """Wait until so many masks are there."""
        until = time.monotonic() + 120
        while time.monotonic() < until and self.process.poll() is None:
            if (self.out / "masks" / f"{frames:05d}.png").exists():
                return
            time.sleep(0.01)

    def line(self) -> str:
        """What it said last, short; the traceback's first words if there was one."""
        if "Traceback" in self.said or "HUNG" in self.said:
            return "TRACEBACK: " + self.said.strip().splitlines()[-1]
        lines = [line for line in self.said.replace("\r", "\n").splitlines() if line.startswith(("error: ", "note: "))]
        lines = [line for line in lines if "these objects are small" not in line]
        lines = lines or [line for line in self.said.splitlines() if line.startswith("stopped")]
        return (lines[-1] if lines else "nothing").replace(str(self.home), "").replace("|", "/")


def digest(out: Path) -> dict[str, str]:
    """What a person takes away, but for the paths and threads in the record."""
    found = {}
    for path in sorted(out.rglob("*")):
        inside = path.relative_to(out).parts
        if path.is_file() and inside[0] != "project" and path.name not in ("timings.json", "run.json"):
            found["/".join(inside)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


class Faults:
    """Every case; each gives what came of it, and whether that is right."""

    def __init__(self, home: Path) -> None:
        self.home, self.number = home, 0
        self.clip, self.first = home / "clip.mp4", home / "first.png"
        make_clip(self.clip, NUM_FRAMES)
        Image.fromarray(label(0)).save(self.first)
        plain = self.run()
        assert plain.whole(plain.command()) == 0, plain.said
        self.wanted = digest(plain.out)

    def run(self) -> Run:
        self.number += 1
        home = self.home / str(self.number)
        home.mkdir()
        return Run(home, self.clip, self.first)

    def same(self, run: Run) -> bool:
        return digest(run.out) == self.wanted

    def resumed(self, run: Run, *options: str) -> tuple[str, bool]:
        """How it ended, and whether going on with it ends in the same bytes."""
        how = f"{_ending(run)}; said: {run.line()}"
        partial = [path.name for path in run.out.rglob("*.partial*")] if run.code != -signal.SIGKILL else []
        clean = "TRACEBACK" not in how and not partial
        again = run.whole(run.command("--resume", *options))
        right = again == 0 and self.same(run)
        return f"{how}; {'`--resume` ends in the same bytes' if right else f'--resume: {run.line()}'}", right and clean

    def finished(self, run: Run) -> tuple[str, bool]:
        right = run.code == 0 and self.same(run)
        return ("finished, the same bytes" if right else f"{_ending(run)}; said: {run.line()}"), right

    def refused(self, run: Run, *words: str) -> tuple[str, bool]:
        """One line, exit code 2."""
        line = run.line()
        right = run.code == 2 and line.startswith("error: ") and all(word in line for word in words)
        return f"{_ending(run)}; said: {line}", right

    # ended

    def stopped(self, number: signal.Signals) -> tuple[str, bool]:
        run = self.run()
        run.start(run.command())
        run.begun()
        run.process.send_signal(number)
        run.end()
        return self.resumed(run)

    def output_closed(self) -> tuple[str, bool]:
        """Whoever read what the command prints has gone away."""
        run = self.run()
        with tempfile.TemporaryFile() as said:
            reader, writer = os.pipe()
            process = subprocess.Popen(run.command(), stdout=writer, stderr=said, cwd=run.home, env=run.environment)
            os.close(reader)
            os.close(writer)
            run.code = process.wait(180)
            said.seek(0)
            run.said = said.read().decode()
        right = run.code in (0, 141, 1) and "Traceback" not in run.said and self.same(run)
        return f"{_ending(run)}; said: {run.line()}; the results are whole", right

    # disks

    def _in_namespace(self, run: Run, before: str) -> None:
        words = " ".join(f"'{word}'" for word in run.command())
        run.start(["unshare", "-m", "sh", "-c", f"{before} && exec {words}"])
        run.end()

    def full_disk(self) -> tuple[str, bool]:
        """The results lie on a disk of 1 MB, which then gets larger."""
        run = self.run()
        (run.home / "disk").mkdir()
        run.out = run.home / "disk" / "out"
        disk = f"mount -t tmpfs -o size=1m tmpfs '{run.home}/disk'"
        words = " ".join(f"'{word}'" for word in run.command())
        log, kept = run.home / "said.txt", run.home / "kept"
        script = (f"{disk} && ({words} 2> '{log}'; echo $? > '{run.home}/code'); mount -o remount,size=64m "
                  f"'{run.home}/disk'; {words} --resume > /dev/null 2> '{run.home}/again.txt'; "
                  f"cp -r '{run.out}' '{kept}'; find '{run.out}' -name '*.partial*'")  # fmt: skip
        found = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, cwd=run.home,
                               env=run.environment)  # fmt: skip
        run.said, run.code = log.read_text(), int((run.home / "code").read_text())
        how, refused = self.refused(run, "cannot be written")
        right = kept.is_dir() and digest(kept) == self.wanted and not found.stdout.count("partial")
        return f"{how}; with room again {'`--resume` ends in the same bytes' if right else found.stderr[-200:]}", \
            refused and right  # fmt: skip

    def read_only(self) -> tuple[str, bool]:
        run = self.run()
        (run.home / "disk").mkdir()
        run.out = run.home / "disk" / "out"
        self._in_namespace(run, f"mount -t tmpfs -o ro tmpfs '{run.home}/disk'")
        return self.refused(run, "cannot be written")

    def no_tmp(self) -> tuple[str, bool]:
        run = self.run()
        run.environment["DEVOS_CACHE"] = str(run.home / "cache")
        places = "mount -t tmpfs -o ro tmpfs /var/tmp && mount -t tmpfs -o ro tmpfs /dev/shm"
        inside = self.home.is_relative_to("/tmp")
        self._in_namespace(run, places if inside else f"{places} && mount -t tmpfs -o ro tmpfs /tmp")
        return self.finished(run)

    def no_home(self) -> tuple[str, bool]:
        run = self.run()
        for name in ("XDG_CACHE_HOME", "DEVOS_CACHE"):
            run.environment.pop(name, None)
        run.environment["HOME"] = "/proc/nowhere"  # where not even root may make it
        run.whole(run.command())
        return self.finished(run)

    # the source

    def source_cut(self) -> tuple[str, bool]:
        """The video loses its second half while it is read, as a copy that is still under way or a card pulled out."""
        run = self.run()
        run.start(run.command())
        run.begun(30)
        os.truncate(run.clip, run.clip.stat().st_size // 2)
        run.end()
        how, told = f"{_ending(run)}; said: {run.line()}", run.line() != "nothing"
        shutil.copyfile(self.clip, run.clip)
        again = run.whole(run.command("--resume"))
        right = again == 0 and self.same(run)
        return f"{how}; put back, {'`--resume` ends in the same bytes' if right else run.line()}", told and right

    def source_gone(self) -> tuple[str, bool]:
        """The video is removed while it is read: who has it open still reads it."""
        run = self.run()
        run.start(run.command())
        run.begun(30)
        run.clip.unlink()
        run.end()
        if run.code == 0:
            return self.finished(run)
        how = f"{_ending(run)}; said: {run.line()}"
        shutil.copyfile(self.clip, run.clip)
        again = run.whole(run.command("--resume"))
        right = again == 0 and self.same(run)
        return f"{how}; put back, {'`--resume` ends in the same bytes' if right else run.line()}", \
            right and "TRACEBACK" not in how  # fmt: skip

    def frames_gone(self) -> tuple[str, bool]:
        """A folder of frames is taken away while it is read."""
        run = self.run()
        frames = run.home / "frames"
        frames.mkdir()
        import av

        with av.open(str(self.clip)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                frame.to_image().save(frames / f"{number:05d}.png")
        run.start(run.command(clip=frames))
        run.begun(30)
        shutil.move(frames, run.home / "elsewhere")
        run.end()
        how, refused = self.refused(run, "frame")
        shutil.move(run.home / "elsewhere", frames)
        again = run.whole(run.command("--resume", clip=frames))
        right = again == 0 and len(list((run.out / "masks").iterdir())) == NUM_FRAMES
        return f"{how}; put back, {'`--resume` goes on to the end' if right else run.line()}", refused and right

    def pipe(self) -> tuple[str, bool]:
        """A pipe in place of a file: it cannot be read twice."""
        run = self.run()
        fifo = run.home / "pipe.mp4"
        os.mkfifo(fifo)
        run.whole(run.command(clip=fifo))
        return self.refused(run)

    # the machine

    def clock(self) -> tuple[str, bool]:
        run = self.run()
        run.whole([sys.executable, "-c", BACK, *run.command()[3:]])
        how, right = self.finished(run)
        return how, right

    def one_core(self) -> tuple[str, bool]:
        run = self.run()
        run.whole(["taskset", "-c", "0", *run.command()])
        return self.finished(run)

    def little_memory(self, kind: str) -> tuple[str, bool]:
        run = self.run()
        words = " ".join(f"'{word}'" for word in run.command())
        run.whole(["sh", "-c", f"{kind} && exec {words}"])
        if run.code == 0:
            return self.finished(run)
        return self.refused(run, "memory")

    def few_files(self) -> tuple[str, bool]:
        return self.little_memory("ulimit -n 40")

    def locale(self, name: bytes, **environment: str) -> tuple[str, bool]:
        """A machine whose texts are not UTF-8, and a name that is not ASCII."""
        run = self.run()
        named = Path(os.fsdecode(os.fsencode(run.home) + b"/" + name))
        shutil.copyfile(self.clip, named)
        run.out = Path(os.fsdecode(os.fsencode(run.home) + b"/out-" + name))
        run.environment.update(environment)
        run.whole(run.command(clip=named))
        if run.code:
            return self.refused(run, "name")
        how, right = self.finished(run)
        if right:
            run.whole([sys.executable, "-m", "devos", "status", str(run.out)])
            return how, run.code == 0 and "Traceback" not in run.said
        return how, right


def _ending(run: Run) -> str:
    return f"killed ({-run.code})" if run.code < 0 else f"exit code {run.code}"


def cases(faults: Faults) -> dict[str, Callable[[], tuple[str, bool]]]:
    """What is tried, by name."""
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    return {
        "kill -9": lambda: faults.stopped(signal.SIGKILL),
        "SIGTERM": lambda: faults.stopped(signal.SIGTERM),
        "Ctrl-C": lambda: faults.stopped(signal.SIGINT),
        "its terminal is closed (SIGHUP)": lambda: faults.stopped(signal.SIGHUP),
        "whoever reads its output goes away": faults.output_closed,
        "full disk (1 MB)": faults.full_disk,
        "target read-only": faults.read_only,
        "video cut to half while it is read": faults.source_cut,
        "video removed while it is read": faults.source_gone,
        "folder of frames taken away": faults.frames_gone,
        "a pipe in place of a video": faults.pipe,
        "clock set back by a day": faults.clock,
        "one core": faults.one_core,
        "1.5 GB of memory (address space)": lambda: faults.little_memory("ulimit -v 1500000"),
        "1.5 GB of memory (data segment)": lambda: faults.little_memory("ulimit -d 1500000"),
        "40 open files": faults.few_files,
        "no place for temporary files": faults.no_tmp,
        "no home": faults.no_home,
        "LC_ALL=C, a name in UTF-8": lambda: faults.locale("été.mp4".encode(), **ascii_only),
        "LC_ALL=C, a name in Latin-1": lambda: faults.locale(b"\xe9t\xe9.mp4", **ascii_only),
        "UTF-8, a name in Latin-1": lambda: faults.locale(b"\xe9t\xe9.mp4", LC_ALL="C.UTF-8"),
        "a name with a line break": lambda: faults.locale(b"one\ntwo.mp4"),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases with this in their name")
    parser.add_argument("--markdown", type=Path, help="the page to put the results into")
    given = parser.parse_args()
    wrong, lines = [], ["| fault | what happens |", "| --- | --- |"]
    with tempfile.TemporaryDirectory(prefix="devos-faults-", dir=Path.cwd()) as home:
        faults = Faults(Path(home))
        for name, work in cases(faults).items():
            if given.only not in name:
                continue
            begun = time.monotonic()
            found, right = work()
            print(f"{'ok' if right else 'WRONG':<6} {name} ({time.monotonic() - begun:.0f} s): {found}", flush=True)
            lines.append(f"| {name} | {found}{'' if right else ' **(wrong)**'} |")
            wrong += [] if right else [name]
    if given.markdown and not given.only:
        write_section(given.markdown, "Faults while running", "\n".join(lines))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
