"""Film `devos app` at work on the demo clip, and take the pictures of docs/app.md.

    python docs/film_app.py

Needs `pip install 'devos[app]' playwright` and Chromium. Writes docs/app.webp and docs/app/*.webp.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

DOCS = Path(__file__).resolve().parent
DEMO = DOCS.parent / "src" / "devos" / "assets" / "bunny.mp4"
FILM_WIDTH = 800
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


class Camera:
    """Takes pictures of a page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.film: list[tuple[Image.Image, int]] = []

    def picture(self) -> Image.Image:
        """The page as it is."""
        return Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")

    def still(self, name: str) -> None:
        """A picture for the docs."""
        self.page.wait_for_timeout(500)
        picture = self.picture()
        picture.thumbnail((1024, 1024), Image.Resampling.LANCZOS)
        picture.save(DOCS / "app" / f"{name}.webp", quality=72, method=6)

    def shot(self, ms: int) -> None:
        """A picture of the film, to be seen so long."""
        picture = self.picture()
        self.film.append((picture.resize((FILM_WIDTH, FILM_WIDTH * 720 // 1280), Image.Resampling.LANCZOS), ms))

    def save(self) -> None:
        """The film."""
        pictures, times = [p for p, _ in self.film], [ms for _, ms in self.film]
        pictures[0].save(DOCS / "app.webp", save_all=True, append_images=pictures[1:], duration=times, loop=0,
                         quality=48, method=4)  # fmt: skip

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the frame is on the screen."""
        left, top = self.page.evaluate(
            """([x, y]) => {
                const v = devosPage.view, b = v.canvas.getBoundingClientRect();
                return [b.left + v.left + (x + 0.5) * v.scale, b.top + v.top + (y + 0.5) * v.scale];
            }""", [x, y])  # fmt: skip
        return left, top

    def changing(self, act: Callable[[], Any]) -> None:
        """Do something, and wait until another mask is seen."""
        shown = "document.getElementById('view').dataset.shown"
        before = self.page.evaluate(shown)
        act()
        self.page.wait_for_function(f"old => {shown} !== old && devosPage.pending === 0", arg=before, timeout=120_000)
        self.page.wait_for_timeout(150)

    def click(self, x: float, y: float, button: Any = "left") -> None:
        """A click on the frame."""
        self.changing(lambda: self.page.mouse.click(*self.at(x, y), button=button))

    def drag(self, *points: tuple[float, float]) -> None:
        """A stroke."""

        def act() -> None:
            self.page.mouse.move(*self.at(*points[0]))
            self.page.mouse.down()
            for point in points[1:]:
                self.page.mouse.move(*self.at(*point), steps=5)
            self.page.mouse.up()

        self.changing(act)

    def go(self, frame: int) -> None:
        """To a frame."""
        self.page.evaluate("frame => devosPage.seek(frame)", frame)
        self.page.wait_for_function(
            "f => document.getElementById('view').dataset.shown.startsWith(`${f}/`)", arg=frame, timeout=60_000
        )

    def follow(self, *, filmed: bool) -> None:
        """Follow to the end."""
        revision = self.page.evaluate("devosPage.state.revision")
        self.page.click("#follow")
        done = "old => devosPage.state.revision !== old && devosPage.busy === null"
        last, is_done = -1, False
        while not is_done:
            is_done = self.page.evaluate(f"({done})({revision})")
            frame = self.page.evaluate("devosPage.frame")
            if filmed and frame >= last + 4:
                self.shot(120)
                if last < 24 <= frame:
                    self.still("following")
                last = frame
            time.sleep(0.05)


def act(camera: Camera, address: str) -> None:
    """The whole job."""
    page = camera.page
    page.goto(address)
    page.wait_for_selector("#view[data-shown]")
    page.wait_for_timeout(1500)
    camera.shot(900)
    for x, y in ((290, 250), (250, 330)):
        page.mouse.move(*camera.at(x, y))
        camera.shot(400)
        camera.click(x, y)
        camera.shot(900)
    camera.still("marked")
    camera.follow(filmed=True)
    camera.shot(600)
    camera.go(40)
    camera.shot(700)
    page.keyboard.press("b")
    page.evaluate("devosPage.size(7)")
    camera.drag((209, 73), (235, 75), (261, 71))  # the ear that was lost
    camera.shot(900)
    page.click("#compare")
    page.wait_for_timeout(900)
    camera.shot(1400)
    camera.still("compared")
    page.click("#compare")
    camera.follow(filmed=True)
    camera.shot(1200)
    camera.save()

    camera.go(0)
    page.keyboard.press("a")
    page.fill("#object-name", "rock")
    page.keyboard.press("Enter")
    page.wait_for_function("() => devosPage.selected === 2")
    page.keyboard.press("x")
    camera.drag((530, 185), (760, 300))
    camera.follow(filmed=False)
    camera.still("two")
    page.keyboard.press("t")
    camera.go(30)
    camera.still("theme")
    page.keyboard.press("?")
    camera.still("keys")
    page.keyboard.press("Escape")
    page.click("#export")
    page.click("#export-more summary")
    page.check('#formats input[value="coco"]')
    page.evaluate("""() => {  // a folder as people have it, in place of a temporary one
        const shown = document.getElementById("command");
        shown.textContent = shown.textContent.replaceAll(/[^\\s']*bunny-devos/g, "bunny-devos")
                                             .replaceAll(/[^\\s']*bunny[.]mp4/g, "bunny.mp4");
    }""")
    page.set_viewport_size({"width": 1280, "height": 1000})
    camera.still("export")
    page.set_viewport_size({"width": 1280, "height": 720})
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 820, "height": 1180})
    page.wait_for_timeout(800)
    camera.still("tablet")
    page.set_viewport_size({"width": 1280, "height": 720})
    page.click("#home")
    page.wait_for_selector("#start-demo")
    camera.still("start")


def main() -> None:
    """Start the app, film it, end it."""
    (DOCS / "app").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as tools:
        shutil.copy(DEMO, folder)
        command = [
            sys.executable,
            "-m",
            "devos",
            "app",
            DEMO.name,
            "-o",
            f"{folder}/bunny-devos",
            "--no-browser",
            "--port",
            "0",
        ]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder)
        assert process.stderr is not None
        address = next(found.group() for line in process.stderr if (found := re.search(r"http://\S+", line)))
        browser = tools.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 720}, color_scheme="dark")
        page.set_default_timeout(120_000)
        act(Camera(page), address)
        browser.close()
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
