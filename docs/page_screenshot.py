"""A picture of the page with five photographs that come with scikit-image, by a headless Chromium.

python docs/page_screenshot.py docs/images/page.jpg
"""

import argparse
import io
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright
from skimage import data

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "camera")
WIDTH, HEIGHT = 1280, 860
DRESS, COLOR = (0.33, 0.78), "orange"  # where, as shares of the photo


def gray(name: str) -> dict:
    file = io.BytesIO()
    Image.fromarray(getattr(data, name)()).convert("L").save(file, "PNG")
    return {"name": f"{name}.png", "mimeType": "image/png", "buffer": file.getvalue()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    command = [sys.executable, "-m", "pix2color", "serve", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().split()[0]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto(address)
            page.wait_for_selector("body.ready")
            page.set_input_files("#files", [gray(name) for name in PHOTOS])
            page.locator("#film [data-state=done]").nth(len(PHOTOS) - 1).wait_for()
            box = page.locator("#after img").bounding_box()
            x, y = box["x"] + DRESS[0] * box["width"], box["y"] + DRESS[1] * box["height"]
            page.mouse.click(x, y)
            page.get_by_role("button", name=COLOR, exact=True).click()
            page.wait_for_timeout(1500)  # doubts come last
            page.screenshot(path=out)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
