"""The guard before the application: who may ask, how much they may send, and how slowly."""

from __future__ import annotations

import asyncio
import base64
import math
import secrets
import time
from collections.abc import Callable
from urllib.parse import urlsplit

_MOST_DRAINED = 2**30
_SECONDS_IN_ALL = 600.0
_SECONDS_TO_TAKE = 60.0  # a part of the answer
_FREE_TRIES = 5  # of a password
_LONGEST_DELAY = 60.0  # seconds
_MOST_STRANGERS = 10_000
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
"""What a browser may do on the page: run and fetch what its own server gives, and nothing else."""
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PRIVATE = {"Cache-Control": "private, no-store"}

Refusal = tuple[int, str, dict[str, str]]
"""Status, text and headers."""
_FULL = 503, "the server is full; try again in some minutes", {"Retry-After": "300"}


class Guard:
    """A filter of requests, for people who are let in and send no more than they may.

    Wrong passwords of a client are answered ever more slowly.

    Args:
        app: the application behind it (ASGI).
        credentials: user and password; None lets in whoever reaches the machine itself.
        hosts: names under which the server may be addressed, against pages elsewhere that point a
            name of their own at it; None for any.
        most_bytes: size of a request.
        most_arriving: what has come of all requests that are being sent or worked on.
        seconds_between_parts: how long a request may pause.
    """

    def __init__(
        self,
        app: Callable,
        *,
        credentials: tuple[str, str] | None,
        hosts: tuple[str, ...] | None,
        most_bytes: int,
        most_arriving: int,
        seconds_between_parts: float = 20.0,
    ) -> None:
        self.app, self.hosts, self.seconds_between_parts = app, hosts, seconds_between_parts
        self.most_bytes, self.most_arriving = most_bytes, most_arriving
        self._arriving = 0
        self._key = credentials and base64.b64encode(":".join(credentials).encode())
        self._wrong: dict[str, tuple[int, float]] = {}  # tries by client, and when the next counts

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        refusal = self._refusal(scope, headers) or self._stranger(scope, headers)
        if refusal is None and self._arriving >= self.most_arriving:
            refusal = _FULL
        arrived = 0

        async def receive_counted() -> dict:
            # What has come counts, not what is announced: announcing costs nothing.
            nonlocal arrived
            message = await in_time()
            size = len(message.get("body", b""))
            arrived += size
            self._arriving += size
            full = self._arriving > self.most_arriving
            return {"type": "http.disconnect"} if full else message

        in_time = _in_time(receive, self.seconds_between_parts)
        try:
            if refusal is None:
                api = scope["path"].startswith("/api/")
                extra = _HEADERS | (_PRIVATE if api else {"Cache-Control": "no-cache"})
                await self.app(scope, receive_counted, _with_headers(send, extra))
            else:
                await _drained(in_time)
                await _answer(send, *refusal)
        except TimeoutError:  # nobody takes the answer
            pass
        finally:
            self._arriving -= arrived

    def _refusal(self, scope: dict, headers: dict[bytes, bytes]) -> Refusal | None:
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if self.hosts is not None and _name(host) not in self.hosts:
            return 421, "this server answers to its own name only", {}
        if origin and origin.partition("://")[2] != host:
            return 403, "another site must not use this one", {}
        length = headers.get(b"content-length", b"0" if scope["method"] != "POST" else b"")
        if not length.isdigit() or b"transfer-encoding" in headers:
            return 411, "say how long the request is (Content-Length)", {}
        if int(length) > self.most_bytes:
            return 413, f"too large: at most {self.most_bytes >> 20} MiB go at once", {}
        return None

    def _stranger(self, scope: dict, headers: dict[bytes, bytes]) -> Refusal | None:
        """Refuse who has no password; each wrong one doubles the time until the next is tried."""
        if self._key is None:
            return None
        client = (scope.get("client") or ("",))[0]
        tries, until = self._wrong.get(client, (0, 0.0))
        wait = until - time.monotonic()
        if wait > 0:
            again = {"Retry-After": str(math.ceil(wait))}
            return 429, "too many wrong passwords; try again in a minute", again
        given = headers.get(b"authorization", b"").partition(b" ")[2].strip()
        if secrets.compare_digest(given, self._key):
            self._wrong.pop(client, None)
            return None
        if given:
            if len(self._wrong) >= _MOST_STRANGERS:
                self._wrong.clear()
            delay = min(_LONGEST_DELAY, 2.0 ** (tries - _FREE_TRIES)) if tries >= _FREE_TRIES else 0
            self._wrong[client] = tries + 1, time.monotonic() + delay
        return 401, "user and password, please", {"WWW-Authenticate": 'Basic realm="photos"'}


def _name(host: str) -> str | None:
    """Return the machine's name in a Host header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # no address at all
        return None


def _in_time(receive: Callable, pause: float) -> Callable:
    """Return ``receive`` for a request whose parts must not dawdle: then its client has left."""
    end = asyncio.get_running_loop().time() + _SECONDS_IN_ALL
    done = False

    async def receive_in_time() -> dict:
        nonlocal done
        if done:  # what follows is the news that the client has left
            return await receive()
        left = end - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(pause, left)):
                message = await receive()
        except TimeoutError:
            message = {"type": "http.disconnect"}
        done = not message.get("more_body", False)
        return message

    return receive_in_time


def _with_headers(send: Callable, extra: dict[str, str]) -> Callable:
    raw = [(key.lower().encode(), value.encode()) for key, value in extra.items()]

    async def send_with_headers(message: dict) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *raw]}
        async with asyncio.timeout(_SECONDS_TO_TAKE):
            await send(message)

    return send_with_headers


async def _drained(receive: Callable) -> None:
    """Take in what a client insists on sending: before it is done, it does not read an answer."""
    taken, more = 0, True
    while more and taken < _MOST_DRAINED:
        message = await receive()
        taken += len(message.get("body", b""))
        more = message.get("more_body", False)


async def _answer(send: Callable, status: int, text: str, headers: dict[str, str]) -> None:
    named = {"content-type": "text/plain; charset=utf-8", "connection": "close"}
    named |= _HEADERS | _PRIVATE | headers
    raw = [(key.lower().encode(), value.encode()) for key, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": text.encode()})
