"""The server of the web page: photos in, colour out, nothing kept."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable
from urllib.parse import quote

import uvicorn

from pix2color.errors import UsageError
from pix2color.imaging.io import reading_limits
from pix2color.inference.colorizer import Colorizer
from pix2color.processes import cores
from pix2color.web.application import Limits, page_application
from pix2color.web.fair_queue import FairQueue
from pix2color.web.guard import Guard

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_MOST_ARRIVING = 2 * 2**30  # bytes
_MOST_WAITING = 100  # photos
_MOST_CONNECTIONS = 500
_FORM_BYTES = 2**20  # of a call, besides the photo in it


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
    queue = FairQueue(cores(), _MOST_WAITING, colorizer.use_one_thread)
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
