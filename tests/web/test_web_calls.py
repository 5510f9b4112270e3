"""The server as programs see it, friendly ones and others."""

import asyncio
import base64
import contextlib
import http.server
import io
import json
import os
import pty
import re
import signal
import socket
import struct
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import one_line, pix2color
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from serving import pixels, run_async, served, stored_files

from pix2color.web.guard import Guard

# Its fixtures take long to make: once, not in every process of the tests.
pytestmark = pytest.mark.xdist_group("web")

pytest.importorskip("starlette", reason="no starlette: pip install 'pix2color[web]'")


def call(address: str, photo: bytes, name: str = "old.jpg", headers=(), **fields: object) -> bytes:
    """What POST /api/colorize answers, as to ``curl -F photo=@old.jpg``."""
    with called(address, photo, name, headers, **fields) as answer:
        return answer.read()


def called(address: str, photo: bytes, name: str, headers=(), at="colorize", **fields: object):
    """That call, to be read."""
    edge = "0123456789abcdef"
    parts = [
        f'--{edge}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    parts.append(
        f'--{edge}\r\nContent-Disposition: form-data; name="photo"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + photo
        + b"\r\n"
    )
    request = urllib.request.Request(
        f"{address}/api/{at}",
        b"".join(parts) + f"--{edge}--\r\n".encode(),
        {"Content-Type": f"multipart/form-data; boundary={edge}", **dict(headers)},
    )
    return urllib.request.urlopen(request, timeout=60)


def refused(function, *args, **kwargs) -> tuple[int, str]:
    with pytest.raises(urllib.error.HTTPError) as caught:
        function(*args, **kwargs)
    return caught.value.code, caught.value.read().decode()


def test_the_call_colours_as_the_command_line(server, gray, by_command):
    assert call(server, gray.read_bytes(), gray.name) == by_command
    plain = pixels(call(server, gray.read_bytes(), saturation=0))
    assert np.ptp(plain, axis=2).max() <= 4
    with called(server, gray.read_bytes(), gray.name) as answer:
        disposition = answer.headers["Content-Disposition"]
    assert urllib.parse.unquote(disposition).endswith(f"utf-8''{gray.name}")


def test_it_needs_no_torch(gray, tmp_path):
    without = ("torch", "torchvision", "timm", "fastai", "safetensors", "skimage")
    with served("default", tmp_path / "temporary", without=without) as address:
        colored = pixels(call(address, gray.read_bytes()))
    assert np.ptp(colored, axis=2).mean() > 2


def test_a_wrong_call_is_told(server, gray):
    photo = gray.read_bytes()
    assert refused(call, server, b"no", "old.jpg")[0] == 400
    for fields, told in (
        ({"saturation": "much"}, "saturation: "),
        ({"saturation": 9}, "saturation: "),
        ({"colour": 1}, "unknown field 'colour'"),
    ):
        code, text = refused(call, server, photo, **fields)
        assert (code, told in text) == (400, True), text
    form = {"Content-Type": "multipart/form-data"}
    request = urllib.request.Request(f"{server}/api/colorize", b"no form", form)
    code, text = refused(urllib.request.urlopen, request)
    assert code == 400
    assert json.loads(text)["error"]


def test_parallel_clients_get_their_own_photos(server):
    def client(number: int) -> None:
        random = np.random.default_rng(number)
        for _ in range(3):
            side = int(random.integers(64, 160))
            blocks = random.integers(30, 220, (4, 4), dtype=np.uint8).repeat(side // 4, 0)
            photo = blocks.repeat(side // 4, 1)
            file = io.BytesIO()
            Image.fromarray(photo).save(file, "PNG")
            colour = pixels(call(server, file.getvalue(), "photo.png"))
            luma = colour @ (0.299, 0.587, 0.114)
            assert luma.shape == photo.shape
            assert abs(luma - photo).mean() < 6

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(client, range(8)))


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
        assert refused(get, path)[0] in (403, 404), path
    assert refused(get, "/api/colorize")[0] in (404, 405)
    for host in ("pages.example.org", "["):
        assert refused(get, "/", Host=host)[0] == 421
    with pytest.raises(urllib.error.HTTPError) as caught:
        get("/", Host="pages.example.org")
    assert caught.value.headers["X-Frame-Options"] == "DENY"
    large = urllib.request.Request(f"{server}/api/look", headers={"Content-Length": str(2**30)})
    large.method = "POST"
    assert refused(urllib.request.urlopen, large, b"")[0] in (400, 413)
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


def test_a_call_takes_hints_and_gives_doubts(gray, tmp_path):
    with served("default", tmp_path / "temporary") as address:
        photo = gray.read_bytes()
        hints = json.dumps([{"x": 150, "y": 200, "color": "#1f7a7a"}])
        plain, hinted = (
            pixels(call(address, photo)),
            pixels(call(address, photo, hints=hints)),
        )
        assert (hinted - plain)[200, 150, 0] < -10
        spots = json.loads(call(address, photo, at="doubt"))
        assert 1 <= len(spots) <= 5
        assert all(0 <= spot["x"] < 300 and 0 <= spot["y"] < 300 for spot in spots)
        found = json.loads(call(address, photo, at="look"))
        assert (found["width"], found["height"], found["has_color"]) == (300, 300, False)
        assert pixels(base64.b64decode(found["preview"])).shape == (300, 300, 3)
        outside = json.dumps([{"x": 900, "y": 1, "color": "red"}])
        assert "outside" in refused(call, address, photo, hints=outside)[1]


def test_the_description_is_of_what_there_is(server, gray):
    with urllib.request.urlopen(f"{server}/api/openapi.json", timeout=30) as answer:
        told = json.load(answer)
    for path, methods in told["paths"].items():
        if "get" in methods:
            with urllib.request.urlopen(server + path, timeout=30) as answer:
                assert set(json.load(answer)) == set(
                    methods["get"]["responses"]["200"]["content"]["application/json"]["schema"][
                        "properties"
                    ]
                )
            continue
        form = methods["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        _, text = refused(call, server, gray.read_bytes(), at=path.split("/")[-1], nothing=1)
        assert set(form["properties"]) <= set(re.findall(r"\w+", text.partition("there are")[2]))


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


def test_a_password_is_asked_for(pretrained, tmp_path, gray):
    def get(address: str, **headers: str) -> int:
        request = urllib.request.Request(address, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status

    key = {"Authorization": "Basic ZmFtaWx5Ok9tYQ=="}  # family:Oma
    wrong = {"Authorization": "Basic ZmFtaWx5Om9tYQ=="}
    options = ("--host", "0.0.0.0", "--user", "family", "--max-file-mb", 1)
    with served(pretrained, tmp_path / "t", *options, password="Oma") as address:
        address = address.replace("0.0.0.0", "127.0.0.1")
        for path in ("/", "/app.js", "/api/model", "/nothing", "/api/colorize"):
            assert refused(get, address + path)[0] == 401
        assert refused(get, address, **wrong)[0] == 401
        assert get(address, **key) == 200
        assert pixels(call(address, gray.read_bytes(), headers=key)).shape == (300, 300, 3)
        codes = [refused(get, address, **wrong)[0] for _ in range(7)]
        assert codes == [401] * 6 + [429]  # from now on ever more slowly, whatever the password
        assert refused(get, address, **key)[0] == 429
        time.sleep(1.1)
        assert get(address, **key) == 200
        code, text = refused(call, address, bytes(2**20 + 1), headers=key)
        assert (code, "larger than 1 MiB" in text) == (413, True)
        code, text = refused(call, address, bytes(21 * 2**20), headers=key)
        assert (code, "too large" in text) == (413, True)
    assert not [path for path in (tmp_path / "t").rglob("*") if path.is_file()]


def test_the_password_is_asked_for_on_the_terminal(pretrained, tmp_path):
    words = ["-m", "pix2color", "serve", "--user", "family", "--port", "0", "--model"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    process, terminal = pty.fork()
    if process == 0:
        os.execve(sys.executable, [sys.executable, *words, str(pretrained)], environment)
    told = b""

    def until(text: bytes) -> None:
        nonlocal told
        while text not in told:
            told += os.read(terminal, 1000)

    try:
        until(b"Password: ")
        os.write(terminal, b"Oma\n")
        until(b"confirmation: ")
        os.write(terminal, b"Oma\n")
        until(b"ends it)")
        assert b"Oma" not in told
        address = re.search(rb"http://\S+", told).group().decode()
        assert refused(urllib.request.urlopen, address)[0] == 401
        key = {"Authorization": "Basic ZmFtaWx5Ok9tYQ=="}
        with urllib.request.urlopen(urllib.request.Request(address, headers=key)) as answer:
            assert answer.status == 200
    finally:
        os.kill(process, signal.SIGTERM)
        assert os.waitpid(process, 0)[1] == 0
        os.close(terminal)


def test_wrong_starts_are_one_line(pretrained):
    told = one_line(pix2color("serve", "--model", pretrained, "--host", "0.0.0.0"), 2)
    assert "--user" in told
    told = one_line(pix2color("serve", "--model", pretrained, "--user", "family"), 2)
    assert "PIX2COLOR_PASSWORD" in told
    told = one_line(pix2color("serve", "--host", "0.0.0.0", "--user", ""), 2)
    assert "--user: is empty" in told
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = one_line(pix2color("serve", "--model", pretrained, "--port", port), 2)
    assert f"127.0.0.1:{port}" in told
    told = one_line(pix2color("serve", "--model", "nowhere"), 2)
    assert "nowhere" in told
