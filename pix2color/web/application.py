"""The addresses of the server: the files of the page, and calls that look at or colour a photo.

Nothing is kept between calls: each brings its photo, which is gone once it is answered.
"""

from __future__ import annotations

import asyncio
import base64
import mimetypes
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image
from starlette.applications import Starlette
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from pix2color.errors import Pix2colorError, UsageError
from pix2color.imaging.grayscale import read_gray_photo
from pix2color.imaging.io import encode_picture, open_picture, to_rgb
from pix2color.inference.adjust import ChromaStatistics
from pix2color.inference.colorizer import Colorizer
from pix2color.inference.doubt_spots import doubt_spots
from pix2color.inference.hints import Hint, parse_hints
from pix2color.inference.options import ColorizeOptions, shared_options
from pix2color.web.fair_queue import BusyError, FairQueue
from pix2color.web.upload_names import named_by_content, sanitize, without_option_advice

PAGE = Path(__file__).with_name("page")
_PREVIEW_SIDE = 1280
_PREVIEW_QUALITY = 92
_NUMBERS = {"saturation": float, "temperature": float, "render_size": int}
_FILES = ("photo", "like")
_FIELDS = (*_FILES, "hints", *_NUMBERS)
_PAGE = "x-page"  # a page's name for itself, so that each has its turn
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w-]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Limits:
    """The limits on the photos that may be sent.

    Attributes:
        file_bytes: size of a file.
        pixels: size of a picture.
    """

    file_bytes: int
    pixels: int


@dataclass(frozen=True)
class Asked:
    """What a call asks for.

    Attributes:
        name: of the photo's file.
        data: its bytes.
        options: how to colour it.
        hints: about its colours.
    """

    name: str
    data: bytes
    options: ColorizeOptions
    hints: list[Hint]


def page_application(colorizer: Colorizer, queue: FairQueue, limits: Limits) -> Starlette:
    """Return the application (ASGI)."""

    def answering(work: Callable[[Colorizer, Asked], Response]) -> Callable:
        async def endpoint(request: Request) -> Response:
            return await _answered(request, colorizer, queue, limits, work)

        return endpoint

    async def model(request: Request) -> Response:
        info = colorizer.info
        return JSONResponse(
            {
                "name": info.architecture,
                "render_size": info.render_size,
                "takes_hints": info.takes_hints,
                "gives_doubt": info.gives_doubt,
                "file_bytes": limits.file_bytes,
                "pixels": limits.pixels,
            }
        )

    async def description(request: Request) -> Response:
        return FileResponse(Path(__file__).with_name("openapi.json"))

    return Starlette(
        routes=[
            Route("/api/model", model),
            Route("/api/openapi.json", description),
            Route("/api/look", answering(_look), methods=["POST"]),
            Route("/api/colorize", answering(_colorize), methods=["POST"]),
            Route("/api/doubt", answering(_doubt), methods=["POST"]),
            Mount("/", StaticFiles(directory=PAGE, html=True)),
        ],
        exception_handlers={HTTPException: _answer_error, ClientDisconnect: _answer_slow},
    )


async def _answered(
    request: Request,
    colorizer: Colorizer,
    queue: FairQueue,
    limits: Limits,
    work: Callable[[Colorizer, Asked], Response],
) -> Response:
    charset = _CHARSET.search(request.headers.get("content-type", ""))
    if charset and charset[1].lower() not in ("utf-8", "utf8"):
        return _error(400, "send text in UTF-8")
    machine = request.client.host if request.client else ""
    page = request.headers.get(_PAGE, "")
    async with request.form(max_files=2, max_fields=len(_FIELDS)) as form:
        too_large = any(
            (file.size or 0) > limits.file_bytes
            for file in form.values()
            if isinstance(file, UploadFile)
        )
        if too_large:
            return _error(413, f"larger than {limits.file_bytes >> 20} MiB")
        try:
            # What waits is read when its turn comes, and takes no memory before.
            done = queue.run(machine, page, lambda: work(colorizer, _asked(form)))
            return await _unless_gone(request, done)
        except Pix2colorError as error:
            return _error(400, without_option_advice(str(error)))
        except BusyError:
            busy = "too many photos are waiting; try again in some seconds"
            return _error(503, busy, {"Retry-After": "5"})


async def _unless_gone(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """Return what comes of the work; whoever asked may leave, and it is dropped."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(gone())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done():
            raise ClientDisconnect
        return tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()


def _asked(form: FormData) -> Asked:
    """Return what the fields of a call say; its photo is coloured though it may have colour.

    Raises:
        ImageError: the reference photo cannot be read.
        UsageError: a field is missing, unknown, no number, or out of its range.
    """
    unknown = set(form) - set(_FIELDS)
    if unknown:
        raise UsageError(f"unknown field {min(unknown)!r}; there are {', '.join(_FIELDS)}")
    for name, value in form.items():
        if isinstance(value, UploadFile) != (name in _FILES):
            kind = "the file of a photo" if name in _FILES else "text"
            raise UsageError(f"{name}: send {kind} as this field of the form")
    photo, like = form.get("photo"), form.get("like")
    if not isinstance(photo, UploadFile):
        raise UsageError("photo: send a photo as this field of the form")
    values: dict[str, Any] = {}
    for name, number in _NUMBERS.items():
        text = form.get(name)
        try:
            if text is not None:
                values[name] = number(str(text))
        except ValueError as error:
            kind = "whole number" if number is int else "number"
            raise UsageError(f"{name}: {text} is no {kind}") from error
    if isinstance(like, UploadFile):
        with open_picture(Path(sanitize(like.filename or "like.jpg")), like.file.read()) as file:
            values["like"] = ChromaStatistics.from_photo(to_rgb(file))
    hints = parse_hints(str(form["hints"])) if "hints" in form else []
    data = photo.file.read()
    name = named_by_content(sanitize(photo.filename or "photo.jpg"), data)
    return Asked(name, data, shared_options(**values, force=True), hints)


def _look(colorizer: Colorizer, asked: Asked) -> Response:
    path = Path(asked.name)
    photo = read_gray_photo(path, asked.data)
    height, width = photo.gray.shape
    picture = Image.fromarray(photo.gray)
    if photo.has_color:
        with open_picture(path, asked.data) as file:
            picture = to_rgb(file)
    colors = photo.has_color or _has_tone(path, asked.data)
    side = (_PREVIEW_SIDE, _PREVIEW_SIDE)
    picture.thumbnail(side, Image.Resampling.LANCZOS, reducing_gap=2.0)
    preview = encode_picture(picture, "JPEG", _PREVIEW_QUALITY, {})
    return JSONResponse(
        {
            "width": width,
            "height": height,
            "has_color": photo.has_color,
            "colors": colors,
            "notes": photo.notes,
            "preview": base64.b64encode(preview).decode(),
        }
    )


def _has_tone(path: Path, data: bytes) -> bool:
    """Return whether a photo that is not in colour has a mood that others can take over."""
    with open_picture(path, data) as file:
        file.draft("RGB", (_PREVIEW_SIDE, _PREVIEW_SIDE))
        try:
            ChromaStatistics.from_photo(to_rgb(file))
        except UsageError:
            return False
    return True


def _colorize(colorizer: Colorizer, asked: Asked) -> Response:
    result = colorizer.colorize_file(asked.data, asked.options, name=asked.name, hints=asked.hints)
    kind = mimetypes.guess_type(asked.name)[0] or "application/octet-stream"
    name = f"attachment; filename*=utf-8''{quote(asked.name)}"
    return Response(result, media_type=kind, headers={"Content-Disposition": name})


def _doubt(colorizer: Colorizer, asked: Asked) -> Response:
    read = colorizer.read(Path(asked.name), asked.data, asked.options, asked.hints)
    spots = doubt_spots(colorizer.predict_doubt(read), asked.hints)
    return JSONResponse([{"x": x, "y": y} for x, y in spots])


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": text}, status, headers)


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, error.detail)


async def _answer_slow(request: Request, error: Exception) -> Response:
    """Answer who may have left, or has paused for too long: see ``Guard``."""
    return _error(408, "the request took too long", {"Connection": "close"})
