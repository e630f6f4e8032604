"""How long a person waits on the page of `devos app`, measured in the browser.

    python benchmarks/app.py bunny=CLIP.mp4 hd=HD.mp4 long=LONG.mp4 --click 0.4,0.5

For each video: from asking for the page to its first picture, from a click to the mask (the first on a frame, later
ones), from a jump on the timeline to the picture (a near frame, a far one; and from letting go after a drag), and from
Stop until it has stopped. Of a large video the small copy of a frame may be seen first: then "seen" is that, "true" the
frame itself. Medians and 95th percentiles in milliseconds, and the server's memory, as JSON. `--made N WxH` makes a
video of N frames first; `--out FOLDER` keeps the projects and, with them, the small copies.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from playwright.sync_api import Page, sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def make_video(path: Path, num_frames: int, width: int, height: int) -> None:
    """A textured disc that goes round over noise; a key frame every 250 frames, as encoders have it."""
    rng = np.random.default_rng(0)
    ground = rng.integers(0, 90, (-(-height // 8), -(-width // 8), 3), np.uint8).repeat(8, 0).repeat(8, 1)
    ground = ground[:height, :width]
    rows, columns = np.mgrid[:height, :width]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(num_frames):
            x = width / 2 + width / 4 * np.cos(index / 60)
            y = height / 2 + height / 5 * np.sin(index / 60)
            frame = ground.copy()
            frame[np.hypot(rows - y, columns - x) < height / 7] = (230, 160, 40)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def start(video: Path, out: Path, size: int) -> tuple[subprocess.Popen[str], str, float]:
    """The server, its address, and the seconds until it said so."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "devos", "app", str(video), "-o", str(out), "--no-browser", "--port", "0",
               "--size", str(size)]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"http://\S+", line):
            return process, found.group(), time.perf_counter() - begun
    raise SystemExit("the server did not begin")


def ms(seconds: list[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    ordered = sorted(seconds)
    high = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    return {"median": round(1000 * statistics.median(seconds)), "p95": round(1000 * high), "times": len(seconds)}


def waited(page: Page, act: Callable[[], Any], until: str, argument: Any = None) -> float:
    """Seconds from an act until something holds, looked at before every picture of the screen."""
    begun = time.perf_counter()
    act()
    page.wait_for_function(until, arg=argument, timeout=120_000)
    return time.perf_counter() - begun


CLICKED = """() => {
    const view = document.getElementById("view");
    window.took = new Promise(done => addEventListener("pointerup", event => {
        new MutationObserver((_, observer) => {
            observer.disconnect();
            requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - event.timeStamp)));
        }).observe(view, { attributeFilter: ["data-shown"] });
    }, { once: true, capture: true }));
}"""
"""From letting go of the button to the picture of the screen after the one in which the mask was drawn."""
JUMP = """async frame => {
    const begun = performance.now(), shown = document.getElementById("view").dataset;
    if (frame === null) { frame = devosPage.frame; } else devosPage.seek(frame);
    let seen = 0;
    return new Promise(done => {
        const look = () => {
            const now = performance.now() - begun, isTrue = shown.shown.startsWith(`${frame}/`);
            if (!seen && (isTrue || shown.small === String(frame))) seen = now;
            if (isTrue) done([seen, now]); else requestAnimationFrame(look);
        };
        look();
    });
}"""


def drag(page: Page, to: float, rng: random.Random) -> tuple[float, float]:
    """Seconds from the last move of a drag along the whole timeline until its frame is seen, and until it is the true
    one; the button stays down.
    """
    box = page.locator("#timeline").bounding_box()
    assert box is not None
    left, right, y = box["x"] + 112, box["x"] + box["width"] - 2, box["y"] + box["height"] - 8
    page.mouse.move(rng.uniform(left, right), y)
    page.mouse.down()
    page.mouse.move(left + to * (right - left), y, steps=25)
    seen, true = page.evaluate(JUMP, None)
    page.mouse.up()
    return seen / 1000, true / 1000


def resident(process: int, what: str = "VmRSS") -> int | None:
    """Megabytes that a process holds, where the system tells."""
    status = Path(f"/proc/{process}/status")
    found = re.search(rf"{what}:\s+(\d+)", status.read_text()) if status.exists() else None
    return int(found.group(1)) >> 10 if found else None


def measure(page: Page, address: str, at: tuple[float, float], times: int,
            memory: Callable[[], int | None]) -> dict[str, Any]:  # fmt: skip
    """All of it for one video."""
    rng, found = random.Random(0), {}
    shown = "() => document.getElementById('view').dataset.shown"
    waits = [waited(page, lambda: page.goto(address), shown)]
    found["memory once open, MB"] = memory()
    for _ in range(4):
        page.wait_for_timeout(300)
        page.goto("about:blank")
        waits.append(waited(page, lambda: page.goto(address), shown))
    found["open to first picture"] = ms(waits)
    page.wait_for_timeout(1500)
    found["frames in the small copy"] = page.evaluate("devosPage.state.proxied")
    last, width, height = page.evaluate("[devosPage.last, devosPage.view.size.width, devosPage.view.size.height]")

    def jump(frame: int) -> tuple[float, float]:
        seen, true = page.evaluate(JUMP, frame)
        return seen / 1000, true / 1000

    def both(name: str, times: list[tuple[float, float]]) -> None:
        found[f"{name}, seen"], found[f"{name}, true"] = (ms(list(one)) for one in zip(*times, strict=True))

    near, far, frame = [], [], 0
    for _ in range(times):
        frame = min(last, max(0, frame + rng.choice([-9, -5, 3, 5, 7, 10])))
        near.append(jump(frame))
    both("jump to a near frame", near)
    copied = min(last, max(0, page.evaluate("devosPage.state.proxied") - 100))  # some of these lie all over the video
    for _ in range(times if copied else 0):
        far.append(jump(rng.randrange(copied)))
    if far:
        both("jump to a far frame of which there is a small copy", far)
    if last < 500:
        both("jump to a far frame", [jump(rng.randrange(last + 1)) for _ in range(times)])
    elif copied < last - 500:
        both("jump to a far frame of which there is none yet",
             [jump(rng.randrange(copied + 200, last)) for _ in range(times)])  # fmt: skip
    both("drag along the timeline and rest", [drag(page, rng.uniform(0.1, 0.9), rng) for _ in range(times // 2)])
    found["memory after the jumps, MB"] = memory()

    first, later = [], []
    for frame in [round(last * k / 8) for k in range(6)]:
        jump(frame)
        page.wait_for_timeout(1500)  # as a person looks before clicking
        for number in range(3):
            x, y = width * at[0] + rng.uniform(-9, 9), height * at[1] + rng.uniform(-9, 9)
            place = page.evaluate(
                "([x, y]) => { const v = devosPage.view, b = v.canvas.getBoundingClientRect();"
                " return [b.left + v.left + x * v.scale, b.top + v.top + y * v.scale]; }", [x, y])  # fmt: skip
            page.evaluate(CLICKED)
            page.mouse.click(*place)
            (later if number else first).append(page.evaluate("window.took") / 1000)
    found["click to mask, first on a frame"], found["click to mask, later"] = ms(first), ms(later)

    stops = []
    for _ in range(5):
        page.click("#follow")
        page.wait_for_function("() => devosPage.busy && devosPage.busy.done >= 2", timeout=120_000)
        stops.append(waited(page, lambda: page.click("#stop"), "() => devosPage.busy === null"))
    found["stop to stopped"] = ms(stops)
    return found


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*", help="NAME=PATH")
    parser.add_argument("--made", nargs=2, action="append", default=[], metavar=("N", "WxH"))
    parser.add_argument("--click", default="0.4,0.55", help="where to click, as parts of width and height")
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--out", type=Path, help="Folder for the projects.")
    options = parser.parse_args()
    x, y = map(float, options.click.split(","))
    videos = dict(one.split("=", 1) for one in options.videos)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as tools:
        for count, size in options.made:
            path = Path(folder) / f"{size}-{count}.mp4"
            make_video(path, int(count), *map(int, size.split("x")))
            videos[path.stem] = str(path)
        for name, path in videos.items():
            process, address, seconds = start(Path(path), (options.out or Path(folder)) / f"{name}-out", options.size)
            browser = tools.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            found = {"start of the server": ms([seconds]),
                     **measure(page, address, (x, y), options.times, lambda p=process.pid: resident(p))}  # fmt: skip
            found["peak memory of the server, MB"] = resident(process.pid, "VmHWM")
            print(json.dumps({name: found}, indent=1), flush=True)
            browser.close()
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
