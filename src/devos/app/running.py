"""Start the server, and end it without loss."""

from __future__ import annotations

import secrets
import socket
import webbrowser
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from devos.app.place import Place, is_frames, is_project
from devos.app.server import create_app
from devos.errors import InputError, OptionError
from devos.pipeline.demo import demo_clip

_DEMO_OUT = Path("devos-demo-app")


def serve(what: Path | None, *, out: Path | None, browser: bool, port: int, host: str, roots: Sequence[Path],
          click_model: str, say: Callable[[str], None], **settings: Any) -> None:  # fmt: skip
    """Open what was given, and answer until Ctrl-C. Raises a DevosError for what the user can mend."""
    for folder in roots:
        if not folder.is_dir():
            raise InputError(f"--root {folder}: no such folder")
    place = Place(_roots(what, roots), click_model, **settings)
    key = _open(place, what, out)
    token = None if _is_local(host) else secrets.token_urlsafe(24)
    with _listen(host, port) as listener:
        address = _address(host, listener.getsockname()[1], token, key)
        say(f"devos app at {address}")
        if key:
            say(f"the project is {place.desks[key].project.folder.path}; Ctrl-C ends the app and loses nothing")
        config = uvicorn.Config(create_app(place, host=host, token=token), log_level="warning",
                                timeout_graceful_shutdown=5, lifespan="on", server_header=False)  # fmt: skip
        if browser:
            webbrowser.open(address)
        _Server(config, place).run([listener])


class _Server(uvicorn.Server):
    """Lets go of pages that listen as soon as it is to end, instead of waiting for them."""

    def __init__(self, config: uvicorn.Config, place: Place) -> None:
        super().__init__(config)
        self._place = place

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal."""
        for desk in list(self._place.desks.values()):
            desk.stop()
            desk.news.end()
        super().handle_exit(sig, frame)


def _roots(what: Path | None, roots: Sequence[Path]) -> list[Path]:
    given = list(roots)
    if what is not None and what.is_dir() and not is_project(what) and not is_frames(what):
        given.insert(0, what)
    return given


def _open(place: Place, what: Path | None, out: Path | None) -> str:
    """The key of what was given; empty for a folder to choose from."""
    if what is None:
        return place.open(demo_clip()[0], out or _DEMO_OUT).key
    if not what.exists():
        raise InputError(f"{what}: no such file or folder; give a video, a folder of frames, or a project")
    if what.is_dir() and not is_project(what) and not is_frames(what):
        if not place.candidates():
            raise InputError(f"{what}: holds neither frames nor videos nor projects; give one that does")
        return ""
    return place.open(what, out or Path(f"{what.stem}-devos")).key


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)  # who comes before the server has begun waits for it
    except (OSError, OverflowError) as error:
        raise OptionError(f"cannot listen at {host} port {port} ({error}); is an app open already? give another "
                          "--port, or 0 for any") from None  # fmt: skip
    return listener


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _address(host: str, port: int, token: str | None, key: str) -> str:
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/{f'?token={token}' if token else ''}{f'#{key}' if key else ''}"
