"""Making a prepared folder: pictures are added one by one, what is outdated is taken out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pix2color.data.deduplicate import NearDuplicates
from pix2color.data.prepared import DROPPED, MANIFEST, Dropped, Entry
from pix2color.data.prepared_writer import Lines, RawPictures, Shards

_FLUSH_EVERY = 64
_OF = ": of "


@dataclass
class Reading:
    """A photo that was read: ``data`` of its picture, or the reason why it is of no use.

    Of one that takes a package to be read, ``missing`` says so: it is looked at again next time.
    """

    seen: Dropped
    entry: Entry | None = None
    data: bytes = b""
    missing: str = ""


class Builder:
    """Adds pictures to a prepared folder, or says why not.

    Args:
        folder: prepared, or to be.
        license_of: licence by path of the photo.
        is_outdated: tells which lines about photos are not true any more.
        shards: write WebDataset shards.

    Attributes:
        kept, new, removed, dropped: see ``prepare.Summary``.
        missing: by photo, which package it takes to read it.
    """

    def __init__(
        self,
        folder: Path,
        license_of: dict[Path, str],
        is_outdated: Callable[[Entry | Dropped], bool],
        *,
        shards: bool,
    ) -> None:
        self.license_of = license_of
        self._manifest, self._drops = (
            Lines(folder / MANIFEST, Entry),
            Lines(folder / DROPPED, Dropped),
        )
        gone = [entry for entry in self._manifest.found if is_outdated(entry)]
        staying = [entry for entry in self._manifest.found if not is_outdated(entry)]
        kind = Shards if shards else RawPictures
        self._pictures = kind(folder, staying, gone)
        self._manifest.keep(self._pictures.entries)
        self._pictures.erase()
        sources = {entry.source for entry in gone}
        self._drops.keep(
            [
                drop
                for drop in self._drops.found
                if not is_outdated(drop) and _doubled(drop.reason) not in sources
            ]
        )
        self.removed = len(gone)
        self.missing: dict[Path, str] = {}
        self._known: dict[str, tuple[int, int]] = {}
        self._contents: dict[str, str] = {}  # SHA-256 → source
        self._near = NearDuplicates()
        for entry in self._manifest.found:
            self._learn(entry)
        for drop in self._drops.found:
            self._known[drop.source] = drop.bytes, drop.modified
        self.dropped = Counter(_kind(drop.reason) for drop in self._drops.found)
        self.kept, self.new = len(self._manifest.found), 0
        self._since_flush = 0

    def knows(self, path: Path) -> bool:
        """Whether it was looked at before, and has not changed since."""
        return self._known.get(str(path)) == file_state(path)

    def add(self, reading: Reading) -> None:
        """The next picture."""
        seen, entry = reading.seen, reading.entry
        if reading.missing:
            self.missing[Path(seen.source)] = reading.missing.removeprefix(f"{seen.source}: ")
            return
        if entry is not None:
            seen.reason = self._double(entry)
        if entry is None or seen.reason:
            self._drops.add(seen)
            self.dropped[_kind(seen.reason)] += 1
        else:
            entry.licence = self.license_of.get(Path(entry.source), "")
            self._learn(entry)
            self._pictures.add(entry, reading.data)
            self.kept += 1
            self.new += 1
        self._since_flush += 1
        if self._since_flush == _FLUSH_EVERY:
            self._flush(self._pictures.take())

    def close(self) -> None:
        """Write what waits."""
        self._flush(self._pictures.close())

    def _flush(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._manifest.add(entry)
        self._manifest.flush()
        self._drops.flush()
        self._since_flush = 0

    def _double(self, entry: Entry) -> str:
        same = self._contents.get(entry.sha256)
        if same is not None:
            return f"duplicate{_OF}{same}"
        near = self._near.find(int(entry.hash, 16))
        return "" if near is None else f"near-duplicate{_OF}{near}"

    def _learn(self, entry: Entry) -> None:
        self._known[entry.source] = entry.bytes, entry.modified
        self._contents[entry.sha256] = entry.source
        self._near.add(int(entry.hash, 16), entry.source)


def file_state(path: Path) -> tuple[int, int]:
    """Return size and time (ns) of a file, zeros if it cannot be looked at."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _doubled(reason: str) -> str:
    """Return the photo that another was left out for, if it was."""
    return reason.partition(_OF)[2]


def _kind(reason: str) -> str:
    return reason.partition(":")[0]
