"""The server as programs see it, friendly ones and others."""

import base64
import io
import json
import os
import pty
import re
import signal
import socket
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import one_line, pix2color
from PIL import Image
from serving import call, called, pixels, refused, served

# Its fixtures take long to make: once, not in every process of the tests.
pytestmark = pytest.mark.xdist_group("web")

pytest.importorskip("starlette", reason="no starlette: pip install 'pix2color[web]'")


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
            assert refused(get, address + path, **wrong)[0] == 401
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
