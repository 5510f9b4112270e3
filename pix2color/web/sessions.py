"""The sessions of the web page: their photos, in folders that do not outlive them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pix2color.errors import Pix2colorError, UsageError
from pix2color.inference.adjust import ChromaStatistics
from pix2color.inference.options import SHARED_RENDER_SIZES, ColorizeOptions, check_range
from pix2color.processes import is_running
from pix2color.web.uploads import Uploads, sanitize

WAITING, AT_WORK, COLORED, FAILED = "waiting", "at work", "coloured", "failed"
MOST_PHOTOS = 100
_MAX_SESSIONS = 200
_IDLE_SECONDS = 3600
_SECONDS_BETWEEN_LOOKS = 60
_PREFIX = "pix2color-serve-"


def shared_options(**options: Any) -> ColorizeOptions:
    """Return the options of a photo that is coloured on a server, within what others leave.

    Raises:
        UsageError: one of them is out of its range.
    """
    if options.get("render_size") is not None:
        check_range("render_size", options["render_size"], *SHARED_RENDER_SIZES, whole=True)
    return ColorizeOptions(**options)


@dataclass
class Picture:
    """A visitor's photo.

    Attributes:
        number: within the session.
        name: of the file, unique within the session; nothing is stored under it.
        path: where the photo is.
        refusal: why nothing can be made of it, known since it came; empty if not.
        status: ``waiting``, ``at work``, ``coloured`` or ``failed``.
        reason: why it failed, in words for the visitor.
        size: of the previews, in pixels.
        folder: what was made of it: ``result``, ``before.jpg`` and ``after.jpg``.
        gone: its visitor has taken it away.
    """

    number: int
    name: str
    path: Path
    refusal: str = ""
    status: str = WAITING
    reason: str = ""
    size: tuple[int, int] = (0, 0)
    folder: Path | None = None
    gone: bool = False

    def file(self, kind: str) -> Path | None:
        """Return the file of ``before``, ``after`` or ``result``; None if there is none.

        Until the next version is ready, the one before can be seen, and not downloaded.
        """
        names = {"before": "before.jpg", "after": "after.jpg"}
        if self.status == COLORED:
            names["result"] = "result"
        return self.folder / names[kind] if self.folder and kind in names else None


@dataclass
class Session:
    """The session of one open page, with its photos and options.

    Attributes:
        token: a secret that names it in addresses.
        folder: everything of it.
        pictures: by the handle of the upload that each came from.
        options: the last ones; whoever colours by older ones stops.
        notice: what is wrong with the reference photo.
        ended: nothing may be written any more.
        lock: held to change options or photos, or to take in what was made of them.
        choosing: held while the reference photo is looked at.
    """

    token: str
    folder: Path
    pictures: dict[str, Picture] = field(default_factory=dict)
    options: ColorizeOptions = field(default_factory=ColorizeOptions)
    notice: str = ""
    ended: bool = False
    used: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)
    choosing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _count: int = 0
    _reference: str = ""
    _statistics: ChromaStatistics | None = None

    def set_photos(self, handles: Iterable[str], uploads: Uploads) -> None:
        """Set the photos to those of these handles: new ones come in, others go out.

        Raises:
            UsageError: they are too many, and none of the new ones is taken; or one is unknown.
        """
        given = dict.fromkeys(handles)
        if len(given) > MOST_PHOTOS:
            raise UsageError(f"{len(given)} photos are too many for one page; {MOST_PHOTOS} go")
        for gone in self.pictures.keys() - given.keys():
            self._drop(self.pictures.pop(gone))
        for handle in given:
            if handle in self.pictures:
                continue
            upload = uploads.claim(handle)
            self._count += 1
            place = self.folder / str(self._count)
            if not upload.refusal:
                upload.path.rename(place)
            name = _free(sanitize(upload.name), {p.name for p in self.pictures.values()})
            self.pictures[handle] = Picture(self._count, name, place, upload.refusal)

    def reference_statistics(self, handle: str | None, uploads: Uploads) -> ChromaStatistics | None:
        """Return the statistics of a reference photo, and remove it.

        It is None, and there is a notice, if the photo has no colour.

        Raises:
            UsageError: the handle is unknown.
        """
        if handle is None:
            self.notice = ""
            return None
        if handle != self._reference:
            upload = uploads.claim(handle)
            self._reference, self._statistics, self.notice = handle, None, upload.refusal
            try:
                if not upload.refusal:
                    self._statistics = ChromaStatistics.from_photo(upload.path)
            except Pix2colorError as error:
                text = str(error).replace(str(upload.path), sanitize(upload.name))
                self.notice = without_option_advice(text)
            finally:
                upload.path.unlink(missing_ok=True)
        return self._statistics

    def restart(self, options: ColorizeOptions) -> None:
        """Mark all photos as waiting to be coloured with these options."""
        with self.lock:
            self.options = options
            for picture in self.pictures.values():
                picture.status, picture.reason = WAITING, ""

    def numbered(self, number: int) -> Picture | None:
        """Return the picture of that number, if there is one."""
        return next((p for p in self.pictures.values() if p.number == number), None)

    def zipped(self) -> Path:
        """Write all that is coloured, under the photos' names, to a new ZIP file in the folder."""
        path = self.folder / f"{secrets.token_hex(8)}.zip"
        with contextlib.ExitStack() as stack:
            # Opened all at once: a new request meanwhile takes none of them away.
            with self.lock:
                pictures = [(p.name, p.file("result")) for p in self.pictures.values()]
                files = [(n, stack.enter_context(f.open("rb"))) for n, f in pictures if f]
            archive = stack.enter_context(zipfile.ZipFile(path, "w", zipfile.ZIP_STORED))
            for name, file in files:
                with archive.open(name, "w", force_zip64=True) as entry:
                    shutil.copyfileobj(file, entry)
        return path

    def _drop(self, picture: Picture) -> None:
        with self.lock:
            picture.gone = True
        picture.path.unlink(missing_ok=True)
        if picture.folder is not None:
            shutil.rmtree(picture.folder, ignore_errors=True)


class Sessions:
    """The set of all sessions, in one folder that goes with the server; idle ones go earlier."""

    def __init__(self, max_bytes: int) -> None:
        _sweep()
        self.root = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        folder = self.root / "uploads"
        folder.mkdir()
        self.uploads = Uploads(folder, max_bytes)
        self._by_page: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def of_page(self, page: str) -> Session:
        """Return the session of an open page, by gradio's name of the page; a new one if need be.

        Raises:
            UsageError: there are too many.
        """
        with self._lock:
            if page not in self._by_page:
                if len(self._by_page) >= _MAX_SESSIONS:
                    raise UsageError("too many people are here at once; come back in a minute")
                token = secrets.token_urlsafe(16)
                folder = self.root / token
                folder.mkdir()
                self._by_page[page] = Session(token, folder)
            session = self._by_page[page]
            session.used = time.monotonic()
            return session

    def by_token(self, token: str) -> Session | None:
        """Return the session that has this secret name, if there is one."""
        with self._lock:
            sessions = list(self._by_page.values())
        for session in sessions:
            if secrets.compare_digest(session.token.encode(), token.encode()):
                session.used = time.monotonic()
                return session
        return None

    def end(self, page: str) -> None:
        """Forget a page and remove all that it brought."""
        with self._lock:
            session = self._by_page.pop(page, None)
        if session is not None:
            with session.lock:
                session.ended = True
            shutil.rmtree(session.folder, ignore_errors=True)

    def stored(self) -> int:
        """Return the number of bytes in all files of all sessions."""
        total = 0
        for folder, _, names in os.walk(self.root):
            for name in names:
                with contextlib.suppress(OSError):  # gone meanwhile
                    total += os.stat(os.path.join(folder, name)).st_size
        return total

    def close(self) -> None:
        """Remove everything."""
        self._closed.set()
        shutil.rmtree(self.root, ignore_errors=True)

    def _watch(self) -> None:
        while not self._closed.wait(_SECONDS_BETWEEN_LOOKS):
            self.end_idle()
            self.uploads.remove_unclaimed()

    def end_idle(self) -> None:
        """Forget the pages that nobody has used for an hour."""
        oldest = time.monotonic() - _IDLE_SECONDS
        with self._lock:
            idle = [page for page, session in self._by_page.items() if session.used < oldest]
        for page in idle:
            self.end(page)


def without_option_advice(reason: str) -> str:
    """Return a message without its advice to use options of the command line."""
    return re.sub(r"; [^;()]*--[a-z][^;()]*", "", reason)


def _free(name: str, taken: set[str]) -> str:
    path, number = Path(name), 1
    taken = {other.casefold() for other in taken}  # to some systems A.jpg is a.jpg
    while name.casefold() in taken:
        number += 1
        name = f"{path.stem} ({number}){path.suffix}"
    return name


def _sweep() -> None:
    """Remove the files that killed servers of this machine have left."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        process = left.name.removeprefix(_PREFIX).split("-")[0]
        with contextlib.suppress(OSError):
            if process.isdigit() and not is_running(int(process)):
                shutil.rmtree(left)
