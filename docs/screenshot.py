"""A screenshot of TensorBoard with some curves of a run, by a headless Chromium.

python docs/screenshot.py runs/mine docs/images/pretrain.png --curves 'val/(psnr|colorf)'
"""

import argparse
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

PORT = 6017
WIDTH, HEIGHT = 1400, 850


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--curves", default="val/", help="regular expression of their names")
    options = parser.parse_args()
    log = f"{options.run.name}:{options.run}"  # so that the run is shown by its name
    command = ["-m", "tensorboard.main", "--logdir_spec", log, "--port", str(PORT)]
    board = subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL)
    address = f"http://localhost:{PORT}/"
    try:
        for _ in range(60):
            try:
                urllib.request.urlopen(address)
                break
            except urllib.error.URLError:
                time.sleep(1)
        query = urllib.parse.urlencode({"tagFilter": options.curves, "darkMode": "false"})
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto(f"{address}?{query}#timeseries")
            page.wait_for_selector("line-chart", timeout=60_000)
            for name in ("Enable step selection and data table", "Ignore outliers"):
                page.get_by_text(name).click()
            page.get_by_role("button", name="Settings").first.click()
            time.sleep(4)  # the curves are drawn after that, without a sign
            options.out.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=options.out)
    finally:
        board.terminate()
        board.wait()


if __name__ == "__main__":
    main()
