"""A server of the web page in a process of its own, for the tests of it."""

import contextlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
from command_line import FORCED_PATH
from PIL import Image

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


def pixels(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int)


def stored_files(place: Path) -> list[Path]:
    """What the server holds of its visitors' files."""
    return [path for path in (place / "temporary").rglob("*") if path.is_file()]
