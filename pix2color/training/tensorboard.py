"""The TensorBoard server beside a training, which starts and ends with it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pix2color.progress import say

_ADDRESS = re.compile(r"at (https?://\S+)")


@contextmanager
def opened(runs: Path) -> Iterator[None]:
    """Run TensorBoard on the runs in a folder while the block lasts.

    It listens to this machine alone, on a free port, and tells its address once it answers.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, "--logdir", str(runs), "--port", "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    teller = threading.Thread(target=_tell_address, args=(process,), daemon=True)
    teller.start()
    try:
        yield
    finally:
        process.terminate()
        teller.join()
        process.wait()


def _tell_address(process: subprocess.Popen[str]) -> None:
    """Read all that TensorBoard says, so that it never waits for a reader."""
    assert process.stderr is not None
    last = ""
    for line in process.stderr:
        last = line.strip() or last
        found = _ADDRESS.search(line)
        if found:
            say(f"TensorBoard: {found[1]}")
            if _has_windows():
                webbrowser.open(found[1])
    if process.wait() > 0:  # by itself; the signal that ends it counts below zero
        say(f"warning: TensorBoard ended, the training goes on ({last})")


def _has_windows() -> bool:
    """Return whether a browser would open beside the terminal, not a text browser within it."""
    if sys.platform in ("darwin", "win32"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _serve() -> None:
    """Serve TensorBoard until standard input ends, as it does if the training is killed."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    from tensorboard.main import run_main

    run_main()


def _end_with_input() -> None:
    sys.stdin.read()
    # At once: on a signal TensorBoard says goodbye first, which fails where nobody hears it, and
    # in the midst of a request that passes for a failed request.
    os._exit(0)


if __name__ == "__main__":
    _serve()
