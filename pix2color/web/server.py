"""The server of the web page: photos in, colour out, nothing kept."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections import Counter
from collections.abc import Callable
from typing import ClassVar
from urllib.parse import quote

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pix2color.errors import UsageError
from pix2color.imaging.io import reading_limits
from pix2color.inference.colorizer import Colorizer
from pix2color.processes import cores
from pix2color.web.application import Limits, page_application
from pix2color.web.fair_queue import FairQueue
from pix2color.web.guard import Guard

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_MOST_ARRIVING = 2 * 2**30  # bytes
_MOST_WAITING, _MOST_OF_PAGE = 200, 50  # photos
_MOST_CONNECTIONS, _MOST_OF_MACHINE = 500, 200
_SECONDS_OF_SILENCE = 20.0
_FORM_BYTES = 2**20  # of a call, besides the photo in it


class _Connection(H11Protocol):
    """A connection that asks for something soon, or is closed; of each machine only so many.

    (h11 bounds the headers of a request.)
    """

    _open: ClassVar[Counter[str]] = Counter()  # connections, by machine
    _machine, _idle = "", False

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._machine = self.client[0] if self.client else ""
        self._open[self._machine] += 1
        if self._open[self._machine] > _MOST_OF_MACHINE:
            transport.abort()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._open[self._machine] -= 1
        if not self._open[self._machine]:
            del self._open[self._machine]

    def _look(self) -> None:
        """Close it if nothing was asked between two looks."""
        if self.transport.is_closing():
            return
        waits = self.cycle is None or self.cycle.response_complete
        if waits and self._idle:
            self.transport.abort()
            return
        self._idle = waits
        self.loop.call_later(_SECONDS_OF_SILENCE / 2, self._look)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on a host and port.

    Raises:
        UsageError: the port is taken, or the host not this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(found[0], socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(found[4])
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"{host}:{port}: {reason}; choose another --port or --host") from error
    return listening


def is_private(host: str) -> bool:
    """Return whether only this machine reaches a server that listens at a host."""
    return host in _LOOPBACK


def serve(
    colorizer: Colorizer,
    listening: socket.socket,
    *,
    limits: Limits,
    credentials: tuple[str, str] | None,
    ready: Callable[[], None],
) -> None:
    """Answer requests until a signal ends it."""
    queue = FairQueue(cores(), _MOST_WAITING, _MOST_OF_PAGE, colorizer.use_one_thread)
    guard = Guard(
        page_application(colorizer, queue, limits),
        credentials=credentials,
        hosts=_LOOPBACK if credentials is None else None,
        most_bytes=2 * limits.file_bytes + _FORM_BYTES,  # a reference photo may come along
        most_arriving=_MOST_ARRIVING,
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    config = uvicorn.Config(
        guard,
        http=_Connection,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=2,
    )
    try:
        # Once it has shut down, uvicorn raises the signal that ended it again.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        if hasattr(signal, "SIGHUP"):  # the terminal was closed
            signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
        with reading_limits(max_pixels=limits.pixels, allow_truncated=False):
            Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        queue.close()


def address(host: str, port: int) -> str:
    """Return the address to be typed into a browser."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{quote(name, safe='[]:')}:{port}"
