"""What a film that is being coloured has done so far, kept beside its target."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pix2color.errors import StorageError, UsageError
from pix2color.files import replacing, write_bytes
from pix2color.inference.adjust import ChromaStatistics
from pix2color.inference.video.coloring import FilmState
from pix2color.inference.video.scenes import SceneState
from pix2color.inference.video.steady import SteadyState
from pix2color.processes import is_running


class Pieces:
    """The pieces of a film that are encoded, and the state after each.

    They are kept in a hidden folder beside the target, and removed with it. A piece counts once
    its state is there, which is written last.

    Args:
        target: the film to be.
        settings: hash of all that changes the result; pieces of others are removed.

    Raises:
        UsageError: another process is making the same film.
        StorageError: nothing can be written there.
    """

    def __init__(self, target: Path, settings: str) -> None:
        self.target = target
        self.folder = target.with_name(f".{target.name}.pieces")
        about = self.folder / "job.json"
        try:
            known = json.loads(about.read_text())
        except (OSError, ValueError):
            known = {}
        owner = known.get("process")
        if owner != os.getpid() and isinstance(owner, int) and is_running(owner):
            raise UsageError(f"{target}: process {owner} is making it; wait for that, or end it")
        if known.get("settings") != settings:
            shutil.rmtree(self.folder, ignore_errors=True)
        write_bytes(about, json.dumps({"settings": settings, "process": os.getpid()}).encode())
        self._states = sorted(self.folder.glob("*.npz"))

    @property
    def paths(self) -> list[Path]:
        """The files of the pieces, in order."""
        return [state.with_suffix(".mp4") for state in self._states]

    def last(self) -> tuple[int | None, int, FilmState | None]:
        """Return the time of the last frame that is done, the number of those, and the state."""
        if not self._states:
            return None, 0, None
        with np.load(self._states[-1], allow_pickle=False) as entries:
            return int(entries["pts"]), int(entries["count"]), _unpacked(dict(entries))

    def add(self, write: Callable[[Path], tuple[int, int, FilmState]]) -> None:
        """Keep another piece.

        Args:
            write: writes it at a path, and returns what ``last`` will.

        Raises:
            StorageError: it cannot be written.
        """
        state_path = self.folder / f"{len(self._states):06}.npz"
        try:
            with replacing(state_path.with_suffix(".mp4")) as path:
                pts, count, state = write(path)
                flush(path)
            with replacing(state_path) as path, path.open("wb") as file:
                np.savez(file, allow_pickle=False, pts=pts, count=count, **_packed(state))
        except OSError as error:
            raise StorageError(f"{self.folder}: cannot be written ({error.strerror})") from error
        self._states.append(state_path)

    def remove(self) -> None:
        """Remove all, once the film is there."""
        shutil.rmtree(self.folder, ignore_errors=True)


def flush(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _packed(state: FilmState) -> dict[str, np.ndarray]:
    scenes, mood = state.steady.scenes, state.mood
    entries = {"waiting": np.array(scenes.waiting)}
    if scenes.recent:
        entries |= {"recent": np.stack(scenes.recent)}
    if state.steady.sums is not None:
        entries |= {"sums": state.steady.sums}
    if mood is not None:
        entries |= {"mean": mood.mean, "covariance": mood.covariance}
    return entries


def _unpacked(entries: dict[str, np.ndarray]) -> FilmState:
    scenes = SceneState(list(entries.get("recent", ())), bool(entries["waiting"]))
    mood = "mean" in entries and ChromaStatistics(entries["mean"], entries["covariance"])
    return FilmState(SteadyState(scenes, entries.get("sums")), mood or None)
