"""What people bring to the web page: their photos, in folders that do not outlive the visit."""

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

from pix2color.errors import Pix2colorError, UsageError
from pix2color.inference.adjust import MAX_SATURATION, MAX_TEMPERATURE, Look, Mood
from pix2color.processes import is_running
from pix2color.web.uploads import Uploads, tame

WAITING, AT_WORK, COLOURED, FAILED = "waiting", "at work", "coloured", "failed"
MOST_PHOTOS = 100
_MOST_VISITS = 200
RENDER_SIZES = (32, 1024)  # what a large one takes is memory that others need, too
_IDLE_SECONDS = 3600
_SECONDS_BETWEEN_LOOKS = 60
_PREFIX = "pix2color-serve-"


@dataclass(frozen=True)
class Wishes:
    """What a visitor wants done to all photos.

    Attributes:
        look: of the colours.
        render_size: short side of what the network looks at, in pixels; None: as it was trained.
        coloured_too: colour photos that have colour already.

    Raises:
        UsageError: one of them is out of its range.
    """

    look: Look = field(default_factory=Look)
    render_size: int | None = None
    coloured_too: bool = False

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("saturation", self.look.saturation, 0, MAX_SATURATION),
            ("temperature", self.look.temperature, -MAX_TEMPERATURE, MAX_TEMPERATURE),
            ("render_size", self.render_size, *RENDER_SIZES),
        ):
            if value is not None and not low <= value <= high:
                raise UsageError(f"{name}: {value:g} is not within {low:g} to {high:g}")


@dataclass
class Picture:
    """A visitor's photo.

    Attributes:
        number: within the visit.
        name: of the file, unique within the visit; nothing is stored under it.
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
        """``before``, ``after`` or ``result``; None if there is none.

        Until the next version is ready, the one before can be seen, and not downloaded.
        """
        names = {"before": "before.jpg", "after": "after.jpg"}
        if self.status == COLOURED:
            names["result"] = "result"
        return self.folder / names[kind] if self.folder and kind in names else None


@dataclass
class Visit:
    """One open page.

    Attributes:
        token: a secret that names it in addresses.
        folder: everything of it.
        pictures: by the handle of the upload that each came from.
        wishes: the last ones; whoever colours by older ones stops.
        notice: what is wrong with the reference photo.
        ended: nothing may be written any more.
        lock: held to change wishes or photos, or to take in what was made of them.
        choosing: held while the reference photo is looked at.
    """

    token: str
    folder: Path
    pictures: dict[str, Picture] = field(default_factory=dict)
    wishes: Wishes = field(default_factory=Wishes)
    notice: str = ""
    ended: bool = False
    used: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)
    choosing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _count: int = 0
    _reference: str = ""
    _mood: Mood | None = None

    def bring(self, handles: Iterable[str], uploads: Uploads) -> None:
        """Make the visit's photos those of these handles: new ones in, others out.

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
            name = _free(tame(upload.name), {p.name for p in self.pictures.values()})
            self.pictures[handle] = Picture(self._count, name, place, upload.refusal)

    def mood_of(self, handle: str | None, uploads: Uploads) -> Mood | None:
        """The mood of a reference photo, which is removed; None, and a notice, if it has none.

        Raises:
            UsageError: the handle is unknown.
        """
        if handle is None:
            self.notice = ""
            return None
        if handle != self._reference:
            upload = uploads.claim(handle)
            self._reference, self._mood, self.notice = handle, None, upload.refusal
            try:
                self._mood = None if upload.refusal else Mood.of_file(upload.path)
            except Pix2colorError as error:
                told = str(error).replace(str(upload.path), tame(upload.name))
                self.notice = for_visitors(told)
            finally:
                upload.path.unlink(missing_ok=True)
        return self._mood

    def restart(self, wishes: Wishes) -> None:
        """Everything is to be done, by these wishes."""
        with self.lock:
            self.wishes = wishes
            for picture in self.pictures.values():
                picture.status, picture.reason = WAITING, ""

    def numbered(self, number: int) -> Picture | None:
        """The picture of that number."""
        return next((p for p in self.pictures.values() if p.number == number), None)

    def zipped(self) -> Path:
        """All that is coloured, under the photos' names, as a new ZIP file in the folder."""
        path = self.folder / f"{secrets.token_hex(8)}.zip"
        with contextlib.ExitStack() as stack:
            # Opened all at once: a new wish meanwhile takes none of them away.
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


class Visits:
    """All of them, in one folder that goes with the server; those that are idle go earlier."""

    def __init__(self, max_bytes: int) -> None:
        _sweep()
        self.root = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        folder = self.root / "uploads"
        folder.mkdir()
        self.uploads = Uploads(folder, max_bytes)
        self._by_page: dict[str, Visit] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def of_page(self, page: str) -> Visit:
        """The visit of an open page, by the name that gradio gives the page; a new one if need be.

        Raises:
            UsageError: there are too many.
        """
        with self._lock:
            if page not in self._by_page:
                if len(self._by_page) >= _MOST_VISITS:
                    raise UsageError("too many people are here at once; come back in a minute")
                token = secrets.token_urlsafe(16)
                folder = self.root / token
                folder.mkdir()
                self._by_page[page] = Visit(token, folder)
            visit = self._by_page[page]
            visit.used = time.monotonic()
            return visit

    def by_token(self, token: str) -> Visit | None:
        """The visit that has this secret name."""
        with self._lock:
            visits = list(self._by_page.values())
        for visit in visits:
            if secrets.compare_digest(visit.token.encode(), token.encode()):
                visit.used = time.monotonic()
                return visit
        return None

    def end(self, page: str) -> None:
        """Forget a page and remove all that it brought."""
        with self._lock:
            visit = self._by_page.pop(page, None)
        if visit is not None:
            with visit.lock:
                visit.ended = True
            shutil.rmtree(visit.folder, ignore_errors=True)

    def stored(self) -> int:
        """Bytes in all files of all visits."""
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
            idle = [page for page, visit in self._by_page.items() if visit.used < oldest]
        for page in idle:
            self.end(page)


def for_visitors(reason: str) -> str:
    """Without the advice to use options of the command line."""
    return re.sub(r"; [^;()]*--[a-z][^;()]*", "", reason)


def _free(name: str, taken: set[str]) -> str:
    path, number = Path(name), 1
    taken = {other.casefold() for other in taken}  # to some systems A.jpg is a.jpg
    while name.casefold() in taken:
        number += 1
        name = f"{path.stem} ({number}){path.suffix}"
    return name


def _sweep() -> None:
    """Remove what killed servers of this machine have left."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        process = left.name.removeprefix(_PREFIX).split("-")[0]
        with contextlib.suppress(OSError):
            if process.isdigit() and not is_running(int(process)):
                shutil.rmtree(left)
