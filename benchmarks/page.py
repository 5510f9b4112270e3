"""How fast the page is, with both engines, in a headless Chromium.

    python benchmarks/page.py              # needs Playwright, Chromium, and npm for the site

Measured: from opening the page until it is ready; from choosing a photo of 12 megapixels until it
is coloured in the view, and until its file is downloaded; from choosing another colour for a spot
until the view shows it (the median of nine). Beside them, the same photo by `Colorizer` in Python.
"""

import argparse
import contextlib
import functools
import io
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright
from skimage import data

from pix2color import Colorizer
from pix2color.web.site import build_site

SIZE = (4000, 3000)
SWATCHES = ("red", "green", "blue")
CHANGED = "old => document.querySelector('#after img').src !== old"


@contextlib.contextmanager
def server():
    command = [sys.executable, "-m", "pix2color", "serve", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().split()[0]
    finally:
        process.terminate()
        process.wait()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def site():
    with tempfile.TemporaryDirectory() as folder:
        build_site(Path(folder) / "site")
        handler = functools.partial(Quiet, directory=f"{folder}/site")
        files = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=files.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{files.server_port}/"
        files.shutdown()


def photo() -> bytes:
    """A gray JPEG of 12 megapixels with grain."""
    levels = np.asarray(Image.fromarray(data.astronaut()).convert("L").resize(SIZE), np.float32)
    levels = levels + np.random.default_rng(0).standard_normal(levels.shape, np.float32) * 3
    file = io.BytesIO()
    gray = Image.fromarray(levels.round().clip(0, 255).astype(np.uint8))
    gray.save(file, "JPEG", quality=90)
    return file.getvalue()


def measure(browser, address: str, file: bytes) -> dict[str, float]:
    context = browser.new_context(bypass_csp=True)  # to wait for a function
    page = context.new_page()
    start = time.perf_counter()
    page.goto(address)
    page.wait_for_selector("body.ready")
    found = {"ready": time.perf_counter() - start}
    upload = {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": file}
    page.set_input_files("#files", upload)
    start = time.perf_counter()  # what brings the file into the browser is Playwright's
    page.wait_for_selector("#film [data-state=done]")
    found["in view"] = time.perf_counter() - start
    start = time.perf_counter()
    with page.expect_download() as download:
        page.click("#download")
    download.value.path()
    found["downloaded"] = time.perf_counter() - start
    box = page.locator("#after img").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
    times = []
    for turn in range(9):
        shown = page.locator("#after img").get_attribute("src")
        swatch = page.get_by_role("button", name=SWATCHES[turn % 3], exact=True)
        start = time.perf_counter()
        swatch.click()
        page.wait_for_function(CHANGED, arg=shown, polling="raf")
        times.append(time.perf_counter() - start)
        page.wait_for_selector("#film [data-state=done]")
        page.wait_for_timeout(300)
    found["another colour"] = statistics.median(times)
    context.close()
    return found


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    file = photo()
    colorizer = Colorizer.load()
    colorizer.colorize_file(file)
    start = time.perf_counter()
    colorizer.colorize_file(file)
    print(f"{'':10}{'Colorizer.colorize_file':>26} {time.perf_counter() - start:.2f} s")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        for name, engine in (("server", server), ("site", site)):
            with engine() as address:
                for what, seconds in measure(browser, address, file).items():
                    print(f"{name:10}{what:>26} {seconds:.2f} s")


if __name__ == "__main__":
    main()
