"""Who may speak to the server, and how much: checked before anything else is done with a request."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_VIDEO = 16 << 30
_MOST = {"application/json": 1 << 20, "image/png": 64 << 20}
"""Bytes of a request, by what it says it is."""
_UPLOAD = "/api/upload"
"""The one address that takes videos, as plain bytes."""
_COOKIE = "devos-token"
_LOCAL = {"localhost", "127.0.0.1", "::1"}
_POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
           "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")  # fmt: skip
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class RefusedError(Exception):
    """A request that is not answered."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Guard:
    """Around the whole application."""

    def __init__(self, app: ASGIApp, *, host: str, token: str | None) -> None:
        self._app, self._token = app, token
        self._hosts = _LOCAL | {host, socket.gethostname()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            headers = Headers(scope=scope)
            self._check_origin(scope, headers)
            if self._token is not None and not self._knows_token(headers):
                await self._welcome(scope, receive, send_safely)
                return
            limited = _limited(scope, headers, receive)
        except RefusedError as refused:
            answer = JSONResponse({"error": str(refused)}, refused.status)
            await answer(scope, receive, send_safely)
            return
        await self._app(scope, limited, send_safely)

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            raise RefusedError(421, "this server is not called so")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != hosts[0].lower():
            raise RefusedError(403, "another page may not ask")
        site = headers.get("sec-fetch-site", "same-origin")
        opens = scope["method"] == "GET" and headers.get("sec-fetch-mode", "navigate") == "navigate"
        if site not in ("same-origin", "none") and not opens:
            raise RefusedError(403, "another page may not ask")

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self._token is not None  # a bare address is no name that somebody could have rebound

    def _knows_token(self, headers: Headers) -> bool:
        assert self._token is not None
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(_COOKIE)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(cookie.value.encode(), self._token.encode())

    async def _welcome(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Who brings the token in the address gets it as a cookie, and the address without it."""
        assert self._token is not None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["method"] != "GET" or not hmac.compare_digest(given.encode(), self._token.encode()):
            refused = JSONResponse({"error": "open the address that devos app printed; it ends in a token"}, 401)
            await refused(scope, receive, send)
            return
        answer = RedirectResponse(scope["path"], 303)
        answer.set_cookie(_COOKIE, self._token, httponly=True, samesite="strict", path="/")
        await answer(scope, receive, send)


def _limited(scope: Scope, headers: Headers, receive: Receive) -> Receive:
    """The request's body, cut off where it is too much. RefusedError at once if it says so itself."""
    if scope["method"] not in ("GET", "HEAD", "POST"):
        raise RefusedError(405, "GET or POST")
    kind = headers.get("content-type", "").split(";")[0].strip()
    most = _MOST.get(kind, _MOST["application/json"])
    if scope["path"] == _UPLOAD and kind == "application/octet-stream":
        most = MOST_VIDEO
    elif scope["method"] == "POST" and kind not in _MOST:
        raise RefusedError(415, " or ".join(_MOST))
    declared = headers.get("content-length", "0")
    if not declared.isdecimal() or len(declared) > 15:
        raise RefusedError(400, "a length that is none")
    if int(declared) > most:
        raise RefusedError(413, f"too much: {most >> 20} MB at most")
    received = 0

    async def receive_so_much() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise RefusedError(413, f"too much: {most >> 20} MB at most")
        return message

    return receive_so_much
