"""The work behind the page, in the order of asking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, BinaryIO

import torch

from pix2color.inference.adjust import Look
from pix2color.inference.colorizer import Colorizer
from pix2color.processes import cores
from pix2color.web.coloring import color_picture, colorized
from pix2color.web.visits import AT_WORK, WAITING, Visit, Visits, Wishes

_MOST_WAITING = 100  # calls of the API that have not been answered
_PATIENCE = 0.25  # seconds in which a slider may go on moving


class Studio:
    """Colours the photos of all visits in the order of asking, for each as many at a time as there
    are cores.

    Args:
        colorizer: the model.
        visits: where the photos are.
    """

    def __init__(self, colorizer: Colorizer, visits: Visits) -> None:
        self.colorizer, self.visits = colorizer, visits
        self._waiting = 0
        self._hands = ThreadPoolExecutor(cores(), initializer=lambda: torch.set_num_threads(1))

    async def refresh(self, page: str, handles: list[str], **wishes: Any) -> AsyncIterator[Visit]:
        """Bring a visit to what its page asks for; yields it whenever there is news.

        Args:
            page: gradio's name of the page.
            handles: of the uploads that it shows.
            wishes: ``like`` (the handle of a reference photo, or None) and the fields of ``Look``
                and ``Wishes``.
        """
        visit = self.visits.of_page(page)
        uploads = self.visits.uploads
        visit.bring(handles, uploads)
        async with visit.choosing:
            like = await asyncio.to_thread(visit.mood_of, wishes.pop("like"), uploads)
        look = Look(like, wishes.pop("saturation"), wishes.pop("temperature"))
        asked = Wishes(look, **wishes)
        if asked != visit.wishes:
            visit.restart(asked)
            await asyncio.sleep(_PATIENCE)
        else:
            asked = visit.wishes
        running: set[asyncio.Future] = set()
        while asked is visit.wishes:
            pictures = list(visit.pictures.values())
            free = cores() - sum(picture.status == AT_WORK for picture in pictures)
            waiting = (picture for picture in pictures if picture.status == WAITING)
            for picture in islice(waiting, max(0, free)):
                picture.status = AT_WORK
                work = self._hands.submit(color_picture, self.colorizer, visit, picture, asked)
                running.add(asyncio.wrap_future(work))
            yield visit
            if not running:
                return
            _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)

    async def once(self, name: str, file: BinaryIO, wishes: Wishes) -> bytes | None:
        """A photo's colour version as a file; None if too many are waiting already.

        The file is read when its turn comes, so that those that wait take no memory.

        Raises:
            ImageError, ModelError: see ``colorized``.
        """
        if self._waiting >= _MOST_WAITING:
            return None
        self._waiting += 1
        try:
            work = self._hands.submit(
                lambda: colorized(self.colorizer, name, file.read(), wishes)[0]
            )
            return await asyncio.wrap_future(work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Drop what has not begun, and every photo."""
        self._hands.shutdown(cancel_futures=True)
        self.visits.close()
