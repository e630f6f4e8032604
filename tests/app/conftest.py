"""The app as a process of its own, and a real browser that looks at it."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the app's packages are not installed: pip install 'devos[app]'")

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
              "--disable-component-update", "--disable-sync"]  # fmt: skip


class Server:
    """`devos app` with some arguments, on a free port."""

    def __init__(self, *arguments: str, port: int = 0) -> None:
        self.arguments = arguments
        command = [sys.executable, "-m", "devos", "app", *arguments, "--no-browser", "--port", str(port)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.lines: list[str] = []
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(r"http://\S+", line):
                self.address = found.group()
                break
        else:
            raise AssertionError("".join(self.lines))
        self.port = int(re.search(r":(\d+)/", self.address).group(1))  # type: ignore[union-attr]

    def end(self, sign: int = signal.SIGINT) -> int:
        """Send a signal, and wait; gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sign)
        code = self.process.wait(timeout=60)
        assert self.process.stderr is not None
        if not self.process.stderr.closed:
            self.lines += list(self.process.stderr)
            self.process.stderr.close()
        return code


class Hands:
    """What a person does on the page."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.page.wait_for_selector("#view[data-shown]")

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the frame is on the screen."""
        script = """([x, y]) => {
            const v = devosPage.view, box = v.canvas.getBoundingClientRect();
            return [box.left + v.left + (x + 0.5) * v.scale, box.top + v.top + (y + 0.5) * v.scale];
        }"""
        left, top = self.page.evaluate(script, [x, y])
        return left, top

    def changing(self, act: Callable[[], Any]) -> None:
        """Do something that makes another mask of the frame, and wait until it is seen."""
        shown = self.page.get_attribute("#view", "data-shown")
        act()
        self.page.wait_for_function(
            "shown => document.getElementById('view').dataset.shown !== shown", arg=shown, timeout=60_000
        )
        self.page.wait_for_function("() => devosPage.pending === 0")

    def click(self, x: float, y: float) -> None:
        self.changing(lambda: self.page.mouse.click(*self.place(x, y)))

    def drag(self, *points: tuple[float, float]) -> None:
        def act() -> None:
            self.page.mouse.move(*self.place(*points[0]))
            self.page.mouse.down()
            for point in points[1:]:
                self.page.mouse.move(*self.place(*point), steps=4)
            self.page.mouse.up()

        self.changing(act)

    def go(self, frame: int) -> None:
        self.page.evaluate("frame => devosPage.seek(frame)", frame)
        self.page.wait_for_function(
            "frame => document.getElementById('view').dataset.shown.startsWith(`${frame}/`)", arg=frame
        )

    def follow(self) -> None:
        self.press("#follow")

    def press(self, button: str) -> None:
        """Press something, and wait until it is done and seen."""
        revision = self.page.evaluate("devosPage.state.revision")
        self.page.click(button)
        self.page.wait_for_function(
            "old => devosPage.state.revision !== old && devosPage.busy === null", arg=revision, timeout=120_000
        )

    def begun(self, frames: int) -> None:
        """Wait until so many frames have been followed."""
        self.page.wait_for_function("n => devosPage.busy && devosPage.busy.done >= n", arg=frames, timeout=120_000)

    def labels(self, frame: int) -> np.ndarray:
        """The mask that the page shows."""
        self.go(frame)
        self.page.wait_for_function("() => devosPage.cache.maskNow(devosPage.frame) === devosPage.view.mask")
        mask = self.page.evaluate("({ w: devosPage.view.mask.width, l: Array.from(devosPage.view.mask.labels) })")
        return np.array(mask["l"], np.uint16).reshape(-1, mask["w"])


@pytest.fixture(scope="session")
def server_class() -> type[Server]:
    return Server


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(*arguments: Any, port: int = 0) -> Server:
        started.append(Server(*map(str, arguments), port=port))
        return started[-1]

    yield start
    for server in started:
        server.end(signal.SIGKILL)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser; a test that needs one is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright, to test the page")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with playwright.sync_playwright() as tools:
        if found is None and not Path(tools.chromium.executable_path).exists():
            pytest.skip("no Chromium; scripts/test installs one, or: playwright install chromium")
        browser = tools.chromium.launch(executable_path=found, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page of 1280x720; what goes wrong in it fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
    yield page
    context.close()
    assert not errors, errors


@pytest.fixture
def hands(page: Any) -> Hands:
    return Hands(page)


@pytest.fixture(scope="session")
def hands_class() -> type[Hands]:
    return Hands
