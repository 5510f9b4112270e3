"""Servers of the web page, for the tests of it."""

import asyncio
import contextlib
import functools
import io
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import FORCED_PATH
from PIL import Image

from pix2color.errors import MissingExtraError
from pix2color.web.guard import POLICY
from pix2color.web.site import build_site

WATCHED = """\
import os
import runpy
import socket
import sys

for folder in sys.path:
    if folder.endswith("tests/forced"):  # ours hides the other of that name
        runpy.run_path(folder + "/sitecustomize.py")

connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo


def told(host):
    if host not in ("127.0.0.1", "::1", "localhost", "0.0.0.0", None):
        with open(os.environ["OUTSIDE"], "a") as file:
            print(host, file=file)


def watched(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6):
        told(address[0])
    return connect(self, address)


def looked_up(host, *args, **kwargs):
    told(host)
    return getaddrinfo(host, *args, **kwargs)


socket.socket.connect, socket.getaddrinfo = watched, looked_up
"""


@contextlib.contextmanager
def served(
    model: Path | str,
    folder: Path,
    *options: object,
    password: str | None = None,
    without: tuple[str, ...] = (),
):
    """A server in a process of its own, and its temporary folder; SIGTERM ends it. It must not
    connect to any other machine, nor import the modules that it is to be ``without``."""
    folder.mkdir(exist_ok=True)
    watch = folder.with_name("watch")
    watch.mkdir()
    for module in without:
        (watch / f"{module}.py").write_text("raise ImportError(__name__)")
    (watch / "sitecustomize.py").write_text(WATCHED)
    outside = watch / "outside"
    own = {
        "TMPDIR": folder,
        "OMP_NUM_THREADS": 1,
        "PYTHONPATH": os.pathsep.join([str(watch), *FORCED_PATH]),
        "OUTSIDE": outside,
    }
    environment = os.environ | {name: str(value) for name, value in own.items()}
    if password:
        environment["PIX2COLOR_PASSWORD"] = password
    command = [sys.executable, "-m", "pix2color", "serve", "--model", model, "--port", 0, *options]
    process = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[0]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert not outside.exists(), outside.read_text()


class _Handler(SimpleHTTPRequestHandler):
    """Gives out files, and lets the page do no more than it must."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript"}

    def end_headers(self):
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *_):
        pass


def files_server(folder: Path) -> tuple[ThreadingHTTPServer, str]:
    """A server of a folder's files in a thread, and its address."""
    handler = functools.partial(_Handler, directory=folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}/"


@contextlib.contextmanager
def site_served(out: Path):
    """The static site, built and given out; skips the test without what builds it."""
    try:
        build_site(out)
    except MissingExtraError as error:
        pytest.skip(str(error))
    server, address = files_server(out)
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()


def run_async(main: Coroutine) -> Any:
    """Run it in a thread of its own: Playwright has a loop in that of the tests."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, main).result()


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


def pixels(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int)


def stored_files(place: Path) -> list[Path]:
    """What the server holds of its visitors' files."""
    return [path for path in (place / "temporary").rglob("*") if path.is_file()]
