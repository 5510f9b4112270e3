"""The addresses beside gradio's: the photos of a session, and a call that colours a photo."""

from __future__ import annotations

import mimetypes
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException as StarletteHTTPException

from pix2color.errors import Pix2colorError, UsageError
from pix2color.inference.options import ColorizeOptions
from pix2color.web.coloring_queue import ColoringQueue
from pix2color.web.sessions import Session, shared_options, without_option_advice
from pix2color.web.uploads import sanitize

_MOST_FILES = 1000  # in a request; how many go is for the session to say
_FIELDS = {"saturation": float, "temperature": float, "render_size": int}  # of a call
_PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


def add_routes(app: FastAPI, queue: ColoringQueue) -> None:
    """Add the addresses to an application."""

    def session_of(token: str) -> Session:
        session = queue.sessions.by_token(token)
        if session is None:
            raise HTTPException(404, "this page was closed, and its photos are gone")
        return session

    @app.get("/photos/{token}/all.zip")
    async def archive(token: str) -> Response:
        path = await run_in_threadpool(session_of(token).zipped)
        return FileResponse(
            path,
            filename="pix2color.zip",
            headers=_PRIVATE,
            background=BackgroundTask(path.unlink, missing_ok=True),
        )

    @app.get("/photos/{token}/{number}/{kind}")
    async def photo(token: str, number: int, kind: str) -> Response:
        picture = session_of(token).numbered(number)
        path = picture.file(kind) if picture else None
        if picture is None or path is None or not path.exists():
            raise HTTPException(404, "this picture is gone, or not ready yet")
        if kind == "result":
            return FileResponse(
                path, filename=picture.name, media_type=_type(picture.name), headers=_PRIVATE
            )
        return FileResponse(path, media_type="image/jpeg", headers=_PRIVATE)

    # In the place of gradio's: files keep their names, get handles instead of paths, and go when
    # nobody claims them.
    @app.post("/gradio_api/upload")
    async def upload(request: Request) -> Response:
        async with request.form(max_files=_MOST_FILES, max_fields=0) as form:
            files = [file for file in form.getlist("files") if isinstance(file, UploadFile)]
            handles = [
                await run_in_threadpool(
                    queue.sessions.uploads.keep, file.filename or "", file.file, file.size or 0
                )
                for file in files
            ]
        return JSONResponse(handles)

    @app.get("/gradio_api/upload_progress")
    async def upload_progress() -> Response:
        return Response('data: {"msg": "done"}\n\n', media_type="text/event-stream")

    @app.post("/api/colorize")
    async def colorize(request: Request) -> Response:
        async with request.form(max_files=1, max_fields=4) as form:
            try:
                photo, options = form.get("photo"), _options(form)
                if not isinstance(photo, UploadFile):
                    raise UsageError("send a photo as the field 'photo' of a form")
                most = queue.sessions.uploads.max_bytes
                if (photo.size or 0) > most:
                    return JSONResponse({"error": f"larger than {most >> 20} MiB"}, 413)
                name = sanitize(photo.filename or "photo.jpg")
                result = await queue.once(name, photo.file, options)
            except Pix2colorError as error:
                return JSONResponse({"error": without_option_advice(str(error))}, 400)
        if result is None:
            busy = "too many photos are waiting; try again in some seconds"
            return JSONResponse({"error": busy}, 503, {"Retry-After": "5"})
        disposition = {"Content-Disposition": f"attachment; filename*=utf-8''{quote(name)}"}
        return Response(result, media_type=_type(name), headers=_PRIVATE | disposition)

    @app.exception_handler(StarletteHTTPException)
    async def answer_error(request: Request, error: StarletteHTTPException) -> Response:
        return JSONResponse({"error": error.detail}, error.status_code)


def _type(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _options(form: FormData) -> ColorizeOptions:
    """Return the options of a call, whose photo is coloured whether or not it has colour.

    Raises:
        UsageError: one is no number, out of its range, or unknown.
    """
    unknown = set(form) - {"photo", *_FIELDS}
    if unknown:
        raise UsageError(f"unknown field {min(unknown)!r}; there are photo, {', '.join(_FIELDS)}")
    values: dict[str, Any] = {}
    for name, number in _FIELDS.items():
        text = form.get(name)
        try:
            if text is not None:
                values[name] = number(str(text))
        except ValueError as error:
            kind = "whole number" if number is int else "number"
            raise UsageError(f"{name}: {text} is no {kind}") from error
    return shared_options(**values, force=True)
