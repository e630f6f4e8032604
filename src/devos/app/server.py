"""The server: requests to calls, answers to JSON. All that is decided or computed lies elsewhere."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from devos.app import exporting, messages
from devos.app.desk import ConflictError, Desk
from devos.app.guard import Guard, RefusedError
from devos.app.news import as_event
from devos.app.pictures import THUMB, WIDTHS, smaller
from devos.app.place import Place
from devos.app.uploads import receive
from devos.errors import DevosError
from devos.pipeline.demo import demo_clip

_STATIC = Path(__file__).parent / "static"
_KEPT = {"Cache-Control": "private, max-age=3600"}
_Message = TypeVar("_Message")
_Handler = Callable[[Request], Awaitable[Response]]


def create_app(place: Place, *, host: str = "127.0.0.1", token: str | None = None) -> Starlette:
    """The application around a place."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(place.close)

    app = Starlette(
        routes=_routes(),
        middleware=[Middleware(Guard, host=host, token=token)],
        lifespan=lifespan,
        exception_handlers={
            DevosError: _devos_error, RefusedError: _refused, ValidationError: _invalid, IndexError: _no_frame,
            HTTPException: _http_error, Exception: _our_mistake,
        },
    )  # fmt: skip
    app.state.place = place
    return app


def _routes() -> list[Route | Mount]:
    return [
        Route("/", _page),
        Mount("/static", StaticFiles(directory=_STATIC)),
        Route("/api/place", _place),
        Route("/api/open", _open, methods=["POST"]),
        Route("/api/demo", _demo, methods=["POST"]),
        Route("/api/upload", _upload, methods=["POST"]),
        Mount("/api/p/{key}", routes=[
            Route("/state", _state),
            Route("/events", _events),
            Route("/timeline", _timeline),
            Route("/frame/{index:int}", _frame),
            Route("/small/{index:int}", _small),
            Route("/thumb/{index:int}", _thumb),
            Route("/mask/{index:int}", _mask),
            Route("/mask/{index:int}", _give, methods=["POST"]),
            Route("/download/{name}", _download),
            Route("/export", _export, methods=["POST"]),
            Route("/stop", _stop, methods=["POST"]),
            *(Route(f"/{name}", _doing(kind, do), methods=["POST"]) for name, kind, do in _DEEDS),
        ]),
    ]  # fmt: skip


_DEEDS: list[tuple[str, Any, Callable[[Desk, Any], Future[Any] | None]]] = [
    ("edit", messages.Edit, Desk.edit),
    ("look", messages.Look, lambda desk, wish: desk.look(wish.frame)),
    ("follow", messages.Follow, Desk.follow),
    ("undo", messages.Move, Desk.undo),
    ("redo", messages.Move, Desk.redo),
    ("lock", messages.Lock, Desk.lock),
    ("remove", messages.Remove, Desk.remove),
    ("rename", messages.Rename, Desk.rename),
    ("check", messages.Check, Desk.check),
]
"""What a page may ask of a desk: its name, its message, and what does it."""


def _doing(kind: Any, do: Callable[[Desk, Any], Future[Any] | None]) -> _Handler:
    reads = TypeAdapter(kind)

    async def handler(request: Request) -> Response:
        desk, wish = _desk(request), reads.validate_json(await request.body())
        answer = do(desk, wish)
        return JSONResponse({}) if answer is None else await _when_done(answer)

    return handler


def _desk(request: Request) -> Desk:
    desk = request.app.state.place.desks.get(request.path_params["key"])
    if desk is None:
        raise HTTPException(404, "no such project is open; go to the start page")
    return desk  # type: ignore[no-any-return]


async def _read(request: Request, kind: type[_Message]) -> _Message:
    return TypeAdapter(kind).validate_json(await request.body())


async def _when_done(answer: Future[Any]) -> Response:
    return JSONResponse(asdict(await asyncio.wrap_future(answer)))


async def _page(request: Request) -> Response:
    return FileResponse(_STATIC / "index.html", headers={"Cache-Control": "no-cache"})


async def _place(request: Request) -> Response:
    place: Place = request.app.state.place
    candidates = await run_in_threadpool(place.candidates)
    desks = [messages.Opened(key, desk.project.record.video.path, str(desk.project.folder.path))
             for key, desk in list(place.desks.items())]  # fmt: skip
    return JSONResponse(
        asdict(
            messages.Place(desks, candidates, exporting.formats(), [str(root) for root in place.roots], str(place.base))
        )
    )


async def _open(request: Request) -> Response:
    wish = await _read(request, messages.Open)
    desk = await run_in_threadpool(request.app.state.place.open_below, wish.path)
    return JSONResponse({"key": desk.key})


async def _demo(request: Request) -> Response:
    desk = await run_in_threadpool(request.app.state.place.open, demo_clip()[0])
    return JSONResponse({"key": desk.key})


async def _upload(request: Request) -> Response:
    """A video, streamed to the disk, and opened."""
    place: Place = request.app.state.place
    declared = request.headers.get("content-length")
    path = await receive(place.base, request.query_params.get("name", ""), (declared and int(declared)) or None,
                         request.stream())  # fmt: skip
    desk = await run_in_threadpool(place.open, path)
    return JSONResponse({"key": desk.key})


async def _state(request: Request) -> Response:
    return JSONResponse(asdict(await run_in_threadpool(lambda: _desk(request).state)))


async def _events(request: Request) -> Response:
    desk = _desk(request)
    first = await run_in_threadpool(lambda: as_event("state", desk.state))
    return StreamingResponse(desk.news.listen(first), media_type="text/event-stream")


async def _timeline(request: Request) -> Response:
    return JSONResponse(asdict(await run_in_threadpool(_desk(request).timeline)))


async def _frame(request: Request) -> Response:
    desk, wanted = _desk(request), request.query_params.get("w")
    if wanted is not None and wanted not in map(str, WIDTHS):
        raise HTTPException(400, f"w is one of {', '.join(map(str, WIDTHS))}")
    width = None if wanted is None else int(wanted)
    jpeg = await run_in_threadpool(desk.pictures.jpeg, request.path_params["index"], width)
    return _jpeg_or_nothing(jpeg)


async def _small(request: Request) -> Response:
    """A frame of the small copy; nothing (204) while it is not there."""
    return _jpeg_or_nothing(await run_in_threadpool(_desk(request).proxy.jpeg, request.path_params["index"]))


async def _thumb(request: Request) -> Response:
    """The nearest frame of the small copy, very small; nothing while there is none."""
    desk, index = _desk(request), request.path_params["index"]

    def made() -> tuple[int | None, bytes | None]:
        nearest = desk.proxy.nearest(index)
        small = None if nearest is None else desk.proxy.jpeg(nearest)
        return nearest, None if small is None else smaller(small, THUMB)

    nearest, jpeg = await run_in_threadpool(made)
    return _jpeg_or_nothing(jpeg, {"Frame": str(nearest)})


def _jpeg_or_nothing(jpeg: bytes | None, headers: dict[str, str] = _KEPT) -> Response:
    return Response(status_code=204) if jpeg is None else Response(jpeg, media_type="image/jpeg", headers=headers)


async def _mask(request: Request) -> Response:
    desk, before = _desk(request), request.query_params.get("before") == "1"
    message = await run_in_threadpool(lambda: desk.mask(request.path_params["index"], before=before))
    return JSONResponse(asdict(message))


async def _give(request: Request) -> Response:
    """A mask PNG: streamed to a file, then read as `devos segment` reads one."""
    desk = _desk(request)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dropped.png"
        with path.open("wb") as file:
            async for piece in request.stream():
                file.write(piece)
        answer = desk.give(request.path_params["index"], path, "a PNG dropped on the page")
        return await _when_done(answer)


async def _stop(request: Request) -> Response:
    _desk(request).stop()
    return JSONResponse({})


async def _export(request: Request) -> Response:
    desk, wish = _desk(request), await _read(request, messages.Export)
    folder = None if wish.folder is None else request.app.state.place.below(wish.folder)
    return await _when_done(desk.export(wish, folder))


async def _download(request: Request) -> Response:
    desk, name = _desk(request), request.path_params["name"]
    file = desk.project.folder.inner / exporting.DOWNLOADS / f"{desk.project.folder.path.name}.zip"
    if name != file.name or not file.is_file():
        raise HTTPException(404, "export first")
    return FileResponse(file, filename=name, media_type="application/zip")


# what went wrong, in one line


def _said(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status)


async def _devos_error(request: Request, error: Exception) -> Response:
    return _said(409 if isinstance(error, ConflictError) else 400, str(error))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return _said(error.status, str(error))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, ValidationError)
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return _said(400, f"not a message of this page: {place + ': ' if place else ''}{first['msg']}")


async def _no_frame(request: Request, error: Exception) -> Response:
    return _said(404, "the video has no such frame")


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _said(error.status_code, error.detail)


async def _our_mistake(request: Request, error: Exception) -> Response:
    traceback.print_exception(error, file=sys.stderr)
    return _said(500, "a mistake of devos; what it was is printed where the server runs")
