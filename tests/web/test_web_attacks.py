"""The server as those see it who mean no good, and what a small file could do to it."""

import asyncio
import contextlib
import http.server
import io
import json
import socket
import struct
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from serving import call, called, pixels, refused, run_async, stored_files

from pix2color.web.guard import Guard
from pix2color.web.upload_names import sanitize

# Its fixtures take long to make: once, not in every process of the tests.
pytestmark = pytest.mark.xdist_group("web")

pytest.importorskip("starlette", reason="no starlette: pip install 'pix2color[web]'")


def test_names_are_what_every_system_can_write():
    assert [sanitize(n) for n in ("a.gif", "../b.PNG", "c", "d.xyz")] == [
        *("a.png", "_b.PNG", "c.jpg", "d.xyz.jpg")
    ]


def test_only_what_the_page_needs_is_answered(server):
    def get(path: str, **headers: str):
        request = urllib.request.Request(server + path, headers=headers)
        return urllib.request.urlopen(request, timeout=30)

    with get("/") as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for path in (
        "/../../setup.cfg",
        "/..%2f..%2fsetup.cfg",
        "/engines/../../web/server.py",
        "/%2fetc/passwd",
        "/api/nothing",
        "/docs",
    ):
        assert refused(get, path)[0] == 404, path
    assert refused(get, "/api/colorize")[0] == 404
    for host in ("pages.example.org", "["):
        assert refused(get, "/", Host=host)[0] == 421
    with pytest.raises(urllib.error.HTTPError) as caught:
        get("/", Host="pages.example.org")
    assert caught.value.headers["X-Frame-Options"] == "DENY"
    assert refused(get, "/", Origin="https://pages.example.org")[0] == 403


def test_what_a_call_names_is_neither_read_nor_fetched(server, place, gray):
    asked: list[str] = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with http.server.HTTPServer(("127.0.0.1", 0), Elsewhere) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{elsewhere.server_port}/photo.jpg"
        for name in (str(gray), "../../etc/passwd", url, "<img src=x onerror=alert(1)>.jpg"):
            with called(server, gray.read_bytes(), name) as answer:
                told = answer.headers["Content-Disposition"]
            given = urllib.parse.unquote(told.partition("utf-8''")[2])
            assert not set(given) & set("/<>:")
            for field in ("like", "hints"):
                assert refused(call, server, gray.read_bytes(), **{field: name})[0] == 400
        elsewhere.shutdown()
    assert not asked
    assert not stored_files(place)


def test_a_name_decides_no_format(server, gray):
    png = io.BytesIO()
    Image.open(gray).save(png, "PNG")
    for data, name, kind in (
        (gray.read_bytes(), "photo.avif", "JPEG"),
        (png.getvalue(), "photo.jpg", "PNG"),
        (gray.read_bytes(), "photo.JPEG", "JPEG"),
    ):
        assert Image.open(io.BytesIO(call(server, data, name))).format == kind


def test_a_request_that_dawdles_is_ended():
    """The application is told that its client has left."""

    async def main() -> list[dict]:
        told: list[dict] = []

        async def app(scope, receive, send):
            told.append(await receive())

        async def never(*_):
            await asyncio.sleep(60)

        limits = {"most_bytes": 100, "most_arriving": 100, "seconds_between_parts": 0.1}
        guard = Guard(app, credentials=None, hosts=None, **limits)
        headers = [(b"content-length", b"10"), (b"host", b"localhost")]
        scope = {"type": "http", "method": "POST", "path": "/api/look", "headers": headers}
        await guard(scope, never, never)
        return told

    assert run_async(main()) == [{"type": "http.disconnect"}]


def test_silent_connections_are_closed_and_keep_nobody_out(server):
    host, port = server.removeprefix("http://").split(":")
    silent = [socket.create_connection((host, int(port)), timeout=60) for _ in range(150)]
    silent[0].sendall(b"GET / HTTP/1.1\r\nHost: loc")
    with urllib.request.urlopen(f"{server}/api/model", timeout=30) as answer:
        assert answer.status == 200
    start = time.monotonic()
    for connection in silent:
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        connection.close()
    assert time.monotonic() - start < 30


def test_announced_uploads_keep_nobody_out(server, gray):
    host, port = server.removeprefix("http://").split(":")
    head = (
        f"POST /api/colorize HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: multipart/form-data; "
        f"boundary=x\r\nContent-Length: {100 * 2**20}\r\n\r\n--x\r\n"
    )
    held = [socket.create_connection((host, int(port)), timeout=30) for _ in range(40)]
    for connection in held:
        connection.sendall(head.encode())
    assert pixels(call(server, gray.read_bytes())).shape == (300, 300, 3)
    for connection in held:
        connection.close()


def strip(width: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (width, 1), 90).save(file, "PNG")
    return file.getvalue()


def xmp(text: bytes) -> bytes:
    """A small PNG with these metadata."""
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", text.decode(), zip=True)
    file = io.BytesIO()
    Image.new("L", (32, 32), 90).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def tags(count: int) -> bytes:
    """A TIFF whose tags all point at the same megabyte."""
    file = io.BytesIO()
    Image.new("L", (16, 16), 90).save(file, "TIFF")
    data = file.getvalue()
    at = int.from_bytes(data[4:8], "little")
    own = int.from_bytes(data[at : at + 2], "little")
    entries = data[at + 2 : at + 2 + 12 * own]
    place = len(data) + 8 + 12 * (own + count)
    more = b"".join(struct.pack("<HHII", 40_000 + i, 7, 2**20, place) for i in range(count))
    directory = struct.pack("<H", own + count) + entries + more + bytes(4)
    head = data[:4] + struct.pack("<I", len(data)) + data[8:]
    return (head + directory).ljust(place, b"\0") + bytes(2**20)


@pytest.mark.parametrize(
    ("photo", "code"),
    [
        (strip(1_000_000), 200),
        (xmp(b"<a:DigitalSourceType " * 45_000 + b"</rdf:RDF>"), 200),
        (xmp(b"<a:DigitalSourceType>" * 3_000 + b"</rdf:RDF>"), 200),
        (tags(1000), 400),
    ],
    ids=["strip", "xmp that is too long", "xmp that never ends", "tags"],
)
def test_a_small_file_does_not_eat_the_machine(server, photo, code):
    start = time.monotonic()
    if code == 200:
        call(server, photo, "photo.png")
    else:
        assert refused(call, server, photo, "photo.tif")[0] == code
    assert time.monotonic() - start < 15


def test_odd_values_are_told(server, gray):
    photo = gray.read_bytes()
    for color in ("rgb(256,300,400)", f"hsl(0,100%,1{'0' * 50}%)"):
        hints = json.dumps([{"x": 1, "y": 1, "color": color}])
        assert refused(call, server, photo, hints=hints)[0] == 400
    many = json.dumps([{"x": 1, "y": 1, "color": "red"}] * 2000)
    assert refused(call, server, photo, hints=many)[0] == 400
    assert refused(call, server, photo, render_size="1" + "0" * 400)[0] == 400
    thin = io.BytesIO()
    Image.new("L", (1280, 1), 90).save(thin, "PNG")
    assert json.loads(call(server, thin.getvalue(), at="look"))["width"] == 1280


def test_a_length_that_a_request_does_not_keep_to_is_refused(server):
    host, port = server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as raw:
        raw.sendall(
            f"POST /api/colorize HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 5\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode()
        )
        assert raw.recv(100).split()[1] in (b"400", b"411")
