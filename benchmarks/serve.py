"""Many clients at once: are all answered, each with its own photo, and does memory stay bounded?

    python benchmarks/serve.py --clients 30 --minutes 2 --model runs/mine

Every client sends photos of its own (blocks of random gray, of random sizes) and compares the
luminance of what comes back with what it sent. Exit code 1: an error, an answer to another's photo,
files left behind, or more memory than MIB_MORE above what the first photo took.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import psutil
from PIL import Image

EDGE = "0123456789abcdef"
MIB_MORE = 1024
SAME = 6.0  # mean distance of luma that JPEG-free colouring stays below


def photo(random: np.random.Generator) -> np.ndarray:
    """uint8 (H, W), of blocks that no other photo has."""
    height, width = (8 * int(random.integers(12, 80)) for _ in range(2))
    blocks = random.integers(30, 220, (8, 8), dtype=np.uint8)
    return blocks.repeat(height // 8, 0).repeat(width // 8, 1)


def call(address: str, gray: np.ndarray) -> np.ndarray:
    """The colour version, (H, W, 3)."""
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "PNG")
    head = f'--{EDGE}\r\nContent-Disposition: form-data; name="photo"; filename="p.png"\r\n\r\n'
    body = head.encode() + file.getvalue() + f"\r\n--{EDGE}--\r\n".encode()
    request = urllib.request.Request(
        f"{address}/api/colorize", body, {"Content-Type": f"multipart/form-data; boundary={EDGE}"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return np.asarray(Image.open(io.BytesIO(answer.read())).convert("RGB")).astype(float)


class Client(threading.Thread):
    """Sends photos until time is up."""

    def __init__(self, address: str, number: int, end: float) -> None:
        super().__init__()
        self.address, self.end = address, end
        self.random = np.random.default_rng(number)
        self.seconds: list[float] = []
        self.errors: list[str] = []
        self.mixed_up = 0

    def run(self) -> None:
        while time.monotonic() < self.end:
            gray, start = photo(self.random), time.monotonic()
            try:
                colour = call(self.address, gray)
            except (OSError, urllib.error.URLError) as error:
                self.errors.append(str(error))
                continue
            self.seconds.append(time.monotonic() - start)
            luma = colour @ (0.299, 0.587, 0.114)
            if luma.shape != gray.shape or abs(luma - gray).mean() > SAME:
                self.mixed_up += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="run or file; the default model if left out")
    parser.add_argument("--clients", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    command = [sys.executable, "-m", "pix2color", "serve", "--port", "0"]
    command += ["--model", options.model] if options.model else []
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": folder}
        )
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[0]
            memory = psutil.Process(server.pid).memory_info
            call(address, photo(np.random.default_rng(0)))
            first = peak = memory().rss
            end = time.monotonic() + 60 * options.minutes
            clients = [Client(address, number, end) for number in range(options.clients)]
            for client in clients:
                client.start()
            while any(client.is_alive() for client in clients):
                peak = max(peak, memory().rss)
                time.sleep(0.2)
        finally:
            server.terminate()
            server.wait(30)
        left = sum(len(names) for _, _, names in os.walk(folder))
    seconds = np.array([s for client in clients for s in client.seconds] or [np.nan])
    answered = sum(len(client.seconds) for client in clients)
    found = {
        "clients": options.clients,
        "photos": answered,
        "photos a second": round(answered / 60 / options.minutes, 1),
        "errors": sum(len(client.errors) for client in clients),
        "mixed up": sum(client.mixed_up for client in clients),
        "median seconds": round(float(np.median(seconds)), 2),
        "99 % within seconds": round(float(np.percentile(seconds, 99)), 2),
        "MiB after the first photo": first >> 20,
        "MiB at most": peak >> 20,
        "files left": left,
    }
    print(json.dumps(found) if options.json else "\n".join(f"{k}: {v}" for k, v in found.items()))
    wrong = found["errors"] or found["mixed up"] or left or not answered
    sys.exit(bool(wrong or peak - first > MIB_MORE << 20))


if __name__ == "__main__":
    main()
