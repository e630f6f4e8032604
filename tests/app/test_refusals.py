"""Wrong and hostile requests: every one is refused in one line, none hangs, and nothing is written."""

from __future__ import annotations

import http.client
import io
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

JSON = {"Content-Type": "application/json"}
PNG = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory, write_video: Any, pictures: Any) -> Path:
    folder = tmp_path_factory.mktemp("given")
    write_video(folder / "clip.mp4", pictures(8))
    (folder / "text.mp4").write_text("no video at all")
    (folder / "empty").mkdir()
    (folder.parent / "secret.txt").write_text("secret")
    return folder


@pytest.fixture(scope="module")
def server(given: Path, server_class: Any) -> Iterator[Any]:
    server = server_class(str(given), "--size", "64")
    yield server
    server.end()


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock" and path.parent.name != "proxy"
    }


def ask(port: int, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None,
        *, skip_host: bool = False) -> tuple[int, bytes]:  # fmt: skip
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(method, path, skip_host=skip_host, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body is not None and "Content-Length" not in (headers or {}):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and has nothing in it."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 100)
    chunks = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (head, data, b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def as_png(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(array).save(out, "PNG")
    return out.getvalue()


def message(**values: Any) -> bytes:
    return json.dumps(values).encode()


BYTES = {"Content-Type": "application/octet-stream"}
UPLOADS = [("", b"x"), ("a.mp4", b""), ("a.mp4", b"no video"), ("a.txt", b"x"), ("..%2f..%2fa.mp4", b"no video"),
           (".a.mp4", b"x"), ("a%00.mp4", b"x"), ("x" * 300 + ".mp4", b"x"), ("..", b"x"),
           ("b.mp4", b"\0\0\0\x18ftypmp42" + b"\0" * 2000)]  # fmt: skip
CLICK = {"kind": "click", "frame": 0, "object": 1, "x": 20, "y": 30, "is_object": True}
BRUSH = {"kind": "brush", "frame": 0, "object": 1, "points": [[1, 1]], "radius": 5}
EDITS: list[dict[str, Any]] = [
    {}, {"kind": "spell"}, {**CLICK, "frame": -1}, {**CLICK, "frame": 10**12}, {**CLICK, "frame": 99},
    {**CLICK, "frame": "0; DROP"}, {**CLICK, "object": 0}, {**CLICK, "object": 70000}, {**CLICK, "x": 1e300},
    {**CLICK, "x": 5000}, {**CLICK, "x": None}, {**CLICK, "is_object": False}, {**BRUSH, "points": []},
    {**BRUSH, "points": [[1]]}, {**BRUSH, "points": [[0, 0]] * 20_001}, {**BRUSH, "radius": 1e9},
    {**BRUSH, "radius": -1}, {**BRUSH, "kind": "polygon", "points": "all"},
    {"kind": "box", "frame": 0, "object": 1, "left": 5, "top": 5, "right": 5, "bottom": 5},
    {"kind": "box", "frame": 0, "object": 1, "left": -50, "top": -50, "right": -5, "bottom": -5},
]  # fmt: skip
MESSAGES: list[tuple[str, bytes]] = [
    ("edit", b""), ("edit", b"{"), ("edit", b"\xff\xfe\x00"), ("edit", b"[" * 5000), ("edit", b'"click"'),
    ("edit", message(**CLICK).replace(b"20", b"NaN")), ("edit", b"null"),
    ("follow", message(direction="sideways")), ("follow", message(first=-3)), ("follow", b"[]"),
    ("undo", message(revision=1)), ("redo", message(revision="new")), ("undo", b"{}"),
    ("lock", message(objects=[0])), ("lock", message(frames=[[1]])), ("remove", message(object=44)),
    ("rename", message(object=1, name="x" * 81)), ("check", message(frames=[])), ("look", message(frame=-5)),
    ("export", message(folder="../../out")), ("export", message(folder="/etc/devos")),
    ("export", message(folder="a\0b")), ("export", message(overlay="perhaps")),
    ("export", message(formats=["none"])), ("export", message(formats="coco")),
]  # fmt: skip
OPENS = ["../secret.txt", "/etc/passwd", "/", "..", "clip.mp4/../../secret.txt", "\0", "text.mp4", "empty", "none.mp4",
         "x" * 5000]  # fmt: skip
MASKS: list[bytes] = [
    b"", b"not a picture", b"\x89PNG\r\n\x1a\n", png_header(96, 64), png_header(60_000, 60_000),
    as_png(np.ones((10, 10), np.uint8)), as_png(np.zeros((64, 96), np.uint8)),
    as_png(np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)),
    as_png(np.ones((64, 96), np.uint8))[:60],
]  # fmt: skip


def test_wrong_and_hostile_requests_are_refused_and_nothing_is_written(server: Any, given: Path) -> None:
    port = server.port
    status, body = ask(port, "POST", "/api/open", message(path="clip.mp4"), JSON)
    assert status == 200, body
    desk = f"/api/p/{json.loads(body)['key']}"
    before = snapshot(given.parent)
    origin = {**JSON, "Origin": "http://evil.example"}
    posts: list[tuple[str, str, bytes | None, dict[str, str]]] = [
        *(("POST", f"{desk}/edit", message(**edit), JSON) for edit in EDITS),
        *(("POST", f"{desk}/{name}", body, JSON) for name, body in MESSAGES),
        *(("POST", "/api/open", message(path=path), JSON) for path in OPENS),
        *(("POST", f"{desk}/mask/0", mask, PNG) for mask in MASKS),
        ("POST", f"{desk}/mask/99", as_png(np.ones((64, 96), np.uint8)), PNG),
        ("POST", f"{desk}/edit", b"", {**JSON, "Content-Length": str(10 << 30)}),
        ("POST", f"{desk}/mask/0", b"", {**PNG, "Content-Length": str(10 << 30)}),
        ("POST", f"{desk}/edit", b"x" * (2 << 20), JSON),
        ("POST", f"{desk}/edit", b"", {**JSON, "Content-Length": "many"}),
        ("POST", f"{desk}/edit", b"{}", {**JSON, "Content-Length": "-5"}),
        ("POST", f"{desk}/edit", message(**CLICK), {"Content-Type": "text/plain"}),
        ("POST", f"{desk}/edit", message(**CLICK), {"Content-Type": "multipart/form-data; boundary=x"}),
        ("POST", f"{desk}/edit", message(**CLICK), origin),
        ("POST", f"{desk}/edit", message(**CLICK), {**JSON, "Origin": "null"}),
        ("POST", f"{desk}/edit", message(**CLICK), {**JSON, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}),
        ("GET", f"{desk}/frame/0", None, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}),
        ("POST", "/api/p/000000000000/edit", message(**CLICK), JSON),
        *(("POST", f"/api/upload?name={name}", sent, BYTES) for name, sent in UPLOADS),
        ("POST", "/api/upload?name=a.mp4", b"", {**BYTES, "Content-Length": str(1 << 50)}),
        ("POST", "/api/upload?name=a.mp4", b"{}", JSON),
        ("POST", f"{desk}/mask/0", b"x", BYTES),
        ("GET", f"{desk}/thumb/-1", None, {}),
        ("PUT", f"{desk}/edit", message(**CLICK), JSON),
        ("DELETE", f"{desk}/state", None, {}),
        ("GET", f"{desk}/edit", None, {}),
        ("GET", f"{desk}/frame/-1", None, {}),
        ("GET", f"{desk}/frame/99", None, {}),
        ("GET", f"{desk}/frame/99999999999999999999999", None, {}),
        ("GET", f"{desk}/frame/0?w=100000", None, {}),
        ("GET", f"{desk}/mask/99", None, {}),
        ("GET", f"{desk}/download/..%2f..%2fproject.json", None, {}),
        ("GET", f"{desk}/download/nothing.zip", None, {}),
        ("GET", "/static/../server.py", None, {}),
        ("GET", "/static/%2e%2e/server.py", None, {}),
        ("GET", "/static//etc/passwd", None, {}),
        ("GET", "/static/..%5cserver.py", None, {}),
        ("GET", "/api/nothing", None, {}),
    ]
    assert len(posts) > 60
    for method, path, sent, headers in posts:
        try:
            status, answer = ask(port, method, path, sent, headers)
        except (BrokenPipeError, ConnectionResetError):  # hung up while too much was sent: refused as well
            continue
        assert 400 <= status < 500, (method, path, (sent or b"")[:80], headers, status, answer[:200])
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "[::1", ""):
        assert ask(port, "GET", "/", None, {"Host": host}, skip_host=True)[0] in (400, 421), host
    assert snapshot(given.parent) == before
    assert ask(port, "GET", f"{desk}/state")[0] == 200, "and it still answers"


def test_from_elsewhere_nobody_comes_in_without_the_token(serve: Callable[..., Any], given: Path) -> None:
    server = serve(given, "--host", "0.0.0.0")
    path = server.address[server.address.index("/", 8) :].split("#")[0]
    token = path.partition("token=")[2]
    assert len(token) >= 32
    cases = [("/", {}), ("/api/place", {}), ("/?token=", {}), ("/?token=" + "x" * 32, {}), ("/static/main.js", {}),
             ("/", {"Cookie": "devos-token=wrong"}), ("/", {"Cookie": "a=\x80; devos-token"})]  # fmt: skip
    for wanted, headers in cases:
        assert ask(server.port, "GET", wanted, None, headers)[0] == 401, (wanted, headers)
    assert ask(server.port, "GET", path)[0] == 303
    cookie = {"Cookie": f"devos-token={token}"}
    assert ask(server.port, "GET", "/api/place", None, cookie)[0] == 200
    assert ask(server.port, "GET", "/api/place", None, {**cookie, "Host": "evil.example"}, skip_host=True)[0] == 421


def test_the_page_may_run_its_own_scripts_only(server: Any) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert "onclick=" not in text and "style=" not in text
    assert "http://" not in text and "https://" not in text
