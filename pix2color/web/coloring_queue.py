"""The queue of photos that the page and its API want coloured, in the order of asking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, BinaryIO

from pix2color.inference.colorizer import Colorizer
from pix2color.inference.options import ColorizeOptions
from pix2color.processes import cores
from pix2color.web.coloring import color_picture
from pix2color.web.sessions import AT_WORK, WAITING, Session, Sessions, shared_options

_MOST_WAITING = 100  # calls of the API that have not been answered
_PATIENCE = 0.25  # seconds in which a slider may go on moving


class ColoringQueue:
    """The queue that colours the photos of all sessions in the order of asking.

    Of each session, as many are coloured at a time as there are cores.

    Args:
        colorizer: the model.
        sessions: where the photos are.
    """

    def __init__(self, colorizer: Colorizer, sessions: Sessions) -> None:
        self.colorizer, self.sessions = colorizer, sessions
        self._waiting = 0
        self._hands = ThreadPoolExecutor(cores(), initializer=colorizer.use_one_thread)

    async def refresh(
        self, page: str, handles: list[str], *, like: str | None, **options: Any
    ) -> AsyncIterator[Session]:
        """Colour a session's photos as its page asks; yields the session whenever there is news.

        Args:
            page: gradio's name of the page.
            handles: of the uploads that it shows.
            like: the handle of a reference photo, or None.
            options: the other fields of ``ColorizeOptions`` that the page has.
        """
        session = self.sessions.of_page(page)
        uploads = self.sessions.uploads
        session.set_photos(handles, uploads)
        async with session.choosing:
            statistics = await asyncio.to_thread(session.reference_statistics, like, uploads)
        asked = shared_options(like=statistics, **options)
        if asked != session.options:
            session.restart(asked)
            await asyncio.sleep(_PATIENCE)
        else:
            asked = session.options
        running: set[asyncio.Future] = set()
        while asked is session.options:
            pictures = list(session.pictures.values())
            free = cores() - sum(picture.status == AT_WORK for picture in pictures)
            waiting = (picture for picture in pictures if picture.status == WAITING)
            for picture in islice(waiting, max(0, free)):
                picture.status = AT_WORK
                work = self._hands.submit(color_picture, self.colorizer, session, picture, asked)
                running.add(asyncio.wrap_future(work))
            yield session
            if not running:
                return
            _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)

    async def once(self, name: str, file: BinaryIO, options: ColorizeOptions) -> bytes | None:
        """Return a photo's colour version as a file; None if too many are waiting already.

        The file is read when its turn comes, so that those that wait take no memory.

        Raises:
            ImageError, ModelError: see ``Colorizer.colorize_file``.
        """
        if self._waiting >= _MOST_WAITING:
            return None
        self._waiting += 1
        try:
            work = self._hands.submit(
                lambda: self.colorizer.colorize_file(file.read(), options, name=name)
            )
            return await asyncio.wrap_future(work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Drop the work that has not begun, and remove every photo."""
        self._hands.shutdown(cancel_futures=True)
        self.sessions.close()
