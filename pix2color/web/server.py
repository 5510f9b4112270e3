"""The server of the web page: photos in, colour out, nothing kept.

Gradio draws the page. What it can do besides is shut off: of its addresses only those that the page
needs are answered, and files are served by addresses of our own, which name no file.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from pix2color.errors import UsageError
from pix2color.imaging.io import reading_limits
from pix2color.inference.colorizer import Colorizer
from pix2color.web.coloring_queue import ColoringQueue
from pix2color.web.guard import Guard
from pix2color.web.sessions import Sessions

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_MOST_STORED = 8 * 2**30
_FILES_AT_ONCE = 20  # of the largest size, in one upload
_FORM_BYTES = 2**16  # of a form, besides the file in it


@dataclass(frozen=True)
class Limits:
    """The limits on the photos that may be sent.

    Attributes:
        file_bytes: size of a file.
        pixels: size of a picture.
    """

    file_bytes: int
    pixels: int


def application(
    queue: ColoringQueue, limits: Limits, credentials: tuple[str, str] | None
) -> Callable:
    """Return the whole server as an ASGI application."""
    # Gradio reads these as it is imported.
    os.environ["GRADIO_TEMP_DIR"] = str(queue.sessions.root)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    from pix2color.web.gradio_page import mount_page

    return Guard(
        mount_page(queue),
        credentials=credentials,
        hosts=_LOOPBACK if credentials is None else None,
        most_bytes={
            "/gradio_api/upload": _FILES_AT_ONCE * limits.file_bytes,
            "/api/colorize": limits.file_bytes + _FORM_BYTES,
        },
        has_room=lambda more: queue.sessions.stored() + more <= _MOST_STORED,
    )


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
    """Answer requests until a signal ends it; then remove all photos that were sent."""
    queue = ColoringQueue(colorizer, Sessions(limits.file_bytes))
    try:
        app = application(queue, limits, credentials)
        import uvicorn

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                ready()

        config = uvicorn.Config(
            app, log_level="warning", access_log=False, timeout_graceful_shutdown=2
        )
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
