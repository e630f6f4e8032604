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
