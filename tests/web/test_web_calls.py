"""The server as programs see it, friendly ones and others."""

import http.server
import io
import json
import os
import pty
import re
import signal
import socket
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import ROOT, one_line, pix2color
from PIL import Image
from serving import pixels, served, stored_files

# Its fixtures take long to make: once, not in every process of the tests.
pytestmark = pytest.mark.xdist_group("web")

pytest.importorskip("gradio", reason="no gradio on this machine: pip install 'pix2color[web]'")


def call(address: str, photo: bytes, name: str = "old.jpg", headers=(), **fields: object) -> bytes:
    """What POST /api/colorize answers, as to ``curl -F photo=@old.jpg``."""
    with called(address, photo, name, headers, **fields) as answer:
        return answer.read()


def called(address: str, photo: bytes, name: str, headers=(), **fields: object):
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
        f"{address}/api/colorize",
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


def test_only_what_the_page_needs_is_answered(server, place):
    def get(path: str, **headers: str) -> None:
        urllib.request.urlopen(urllib.request.Request(server + path, headers=headers), timeout=30)

    get("/")
    for path in (
        f"/gradio_api/file={ROOT / 'setup.cfg'}",
        "/gradio_api/file=http://example.org/",
        "/gradio_api/proxy=http://example.org/",
        "/gradio_api/info",
        "/monitoring",
        "/photos/x/1/result",
        "/static/../../../../../../etc/passwd",
        "/docs",
    ):
        assert refused(get, path)[0] in (403, 404), path
    for host in ("pages.example.org", "["):
        assert refused(get, "/", Host=host)[0] == 421
    large = urllib.request.Request(f"{server}/gradio_api/queue/join", bytes(2**20 + 1))
    assert refused(urllib.request.urlopen, large)[0] == 413
    assert refused(get, "/", Origin="https://pages.example.org")[0] == 403


def test_what_a_request_names_is_neither_read_nor_fetched(server, place, gray):
    asked: list[str] = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with http.server.HTTPServer(("127.0.0.1", 0), Elsewhere) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{elsewhere.server_port}/photo.jpg"
        before = stored_files(place)
        for number, path in enumerate((str(gray), str(place / "temporary"), url)):
            photo = {"path": path, "orig_name": "a.jpg", "meta": {"_type": "gradio.FileData"}}
            page = f"hostile{number}"
            wish = {
                "data": [[photo], None, 1, 0, 64, False],
                "fn_index": 0,
                "session_hash": page,
            }
            request = urllib.request.Request(
                f"{server}/gradio_api/queue/join",
                json.dumps(wish).encode(),
                {"Content-Type": "application/json"},
            )
            urllib.request.urlopen(request, timeout=30).close()
            data = f"{server}/gradio_api/queue/data?session_hash={page}"
            with urllib.request.urlopen(data, timeout=30) as answer:
                told = answer.read().decode()
            assert "drop them again" in told, told
        elsewhere.shutdown()
    assert not asked
    assert stored_files(place) == before


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
        for path in ("/", "/config", "/assets/x", "/photos/x/1/result", "/api/colorize"):
            assert refused(get, address + path)[0] == 401
            assert refused(get, address + path, **wrong)[0] == 401
        assert get(address, **key) == 200
        assert pixels(call(address, gray.read_bytes(), headers=key)).shape == (300, 300, 3)
        code, text = refused(call, address, bytes(2**20 + 1), headers=key)
        assert (code, "larger than 1 MiB" in text) == (413, True)
        code, text = refused(call, address, bytes(21 * 2**20), headers=key)
        assert (code, "too large" in text) == (413, True)
    assert not list((tmp_path / "t").glob("pix2color-serve-*"))


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
