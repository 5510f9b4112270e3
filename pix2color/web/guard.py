"""The guard before gradio, which can do much that a page of photos has no use for."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Callable
from urllib.parse import urlsplit

_NEEDED = (  # what gradio's page asks for
    *("/config", "/theme.css", "/favicon.ico", "/assets/", "/static/"),
    *("/gradio_api/upload", "/gradio_api/queue/", "/gradio_api/heartbeat/", "/gradio_api/cancel"),
    *("/gradio_api/startup-events", "/gradio_api/app_id"),
)
_OURS = ("/photos/", "/api/colorize")
_MOST_SAID = 2**20  # bytes of a request that brings no photo
_MOST_DRAINED = 2**30

Refusal = tuple[int, str, dict[str, str]]
"""Status, text and headers."""
_FULL = 503, "the server is full; try again in some minutes", {"Retry-After": "300"}


class Guard:
    """A filter of requests, for those that page and documented API need, from people let in.

    Args:
        app: the application behind it (ASGI).
        credentials: user and password; None lets in whoever reaches the machine itself.
        hosts: names under which the server may be addressed, against pages elsewhere that point a
            name of their own at it; None for any.
        most_bytes: size of a request to an address that takes files, by address.
        has_room: whether so many bytes more may be stored; takes its time.
    """

    def __init__(
        self,
        app: Callable,
        *,
        credentials: tuple[str, str] | None,
        hosts: tuple[str, ...] | None,
        most_bytes: dict[str, int],
        has_room: Callable[[int], bool],
    ) -> None:
        self.app, self.hosts, self.most_bytes, self.has_room = app, hosts, most_bytes, has_room
        self._arriving = 0  # bytes of files that are being sent, and are stored nowhere yet
        self.key = credentials and base64.b64encode(":".join(credentials).encode())

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        refusal = self._refusal(scope, headers)
        brings = scope["method"] == "POST" and scope["path"] in self.most_bytes
        size = int(headers[b"content-length"]) if brings and not refusal else 0
        self._arriving += size
        try:
            if size and not await asyncio.to_thread(self.has_room, self._arriving):
                refusal = _FULL
            if refusal is None:
                await self.app(scope, receive, send)
            else:
                await _drained(receive)
                await _answer(send, *refusal)
        finally:
            self._arriving -= size

    def _refusal(self, scope: dict, headers: dict[bytes, bytes]) -> Refusal | None:
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if self.hosts is not None and _name(host) not in self.hosts:
            return 421, "this server answers to its own name only", {}
        if origin and origin.partition("://")[2] != host:
            return 403, "another site must not use this one", {}
        if self.key is not None:
            given = headers.get(b"authorization", b"").partition(b" ")[2].strip()
            if not secrets.compare_digest(given, self.key):
                return (
                    401,
                    "user and password, please",
                    {"WWW-Authenticate": 'Basic realm="photos"'},
                )
        path = scope["path"]
        if path != "/" and not path.startswith((*_NEEDED, *_OURS)):
            return 404, "there is nothing here", {}
        if scope["method"] == "POST":
            length = headers.get(b"content-length", b"")
            if not length.isdigit() or b"transfer-encoding" in headers:
                return 411, "say how long the request is (Content-Length)", {}
            most = self.most_bytes.get(path, _MOST_SAID)
            if int(length) > most:
                return 413, f"too large: at most {most >> 20} MiB go at once", {}
        return None


def _name(host: str) -> str | None:
    """Return the machine's name in a Host header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # no address at all
        return None


async def _drained(receive: Callable) -> None:
    """Take in what a client insists on sending: before it is done, it does not read an answer."""
    taken, more = 0, True
    while more and taken < _MOST_DRAINED:
        message = await receive()
        taken += len(message.get("body", b""))
        more = message.get("more_body", False)


async def _answer(send: Callable, status: int, text: str, headers: dict[str, str]) -> None:
    named = {"content-type": "text/plain; charset=utf-8", "connection": "close", **headers}
    raw = [(key.lower().encode(), value.encode()) for key, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": text.encode()})
