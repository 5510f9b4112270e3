"""The record of a folder job's outputs: none is made twice, and nothing foreign is replaced."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from pix2color.files import hash_file
from pix2color.imaging.folders import RECORDS, Search


@dataclass(frozen=True)
class Record:
    """One output, named relative to the folder of the job.

    Attributes:
        name: of the output.
        input, settings, output: SHA-256 of what it was made from, by and into.
        source: the photo that it was made from; earlier versions did not write it.
    """

    name: str
    input: str
    settings: str
    output: str
    source: str = ""

    def is_of(self, photo: Path) -> bool:
        """Return whether it was made from a photo; its folder may have moved since."""
        if self.source:
            return os.path.basename(self.source) == photo.name
        return photo.is_file() and hash_file(photo) == self.input

    def is_of_another(self, photo: Path) -> bool:
        """Return whether it was made from a photo of another place, be that one away by now."""
        return self.source not in ("", str(photo.absolute()))


class Manifest:
    """Holds the records of all processes that share a folder, in ``.pix2color/done-*.jsonl``.

    A record is written just before its output gets its name: after a kill, an output is either
    recorded, or not there, or there as it was before.

    Args:
        folder: of the job; None: remember nothing, every file that is there is somebody else's.
        process: number of this process among those that share the job.
    """

    def __init__(self, folder: Path | None, process: int = 0) -> None:
        self._file = folder and folder / RECORDS / f"done-{process}.jsonl"
        self._lock = threading.Lock()
        self._records: dict[str, set[Record]] = {}
        self._read: dict[Path, int] = {}  # bytes of each file that are known
        self.refresh()

    def refresh(self) -> None:
        """Take up what other jobs have recorded since."""
        if self._file is None:
            return
        with self._lock:
            for path in sorted(self._file.parent.glob("done-*.jsonl")):
                with path.open("rb") as file:
                    file.seek(self._read.get(path, 0))
                    lines, end, _ = file.read().rpartition(b"\n")  # the last may be half a line
                self._read[path] = self._read.get(path, 0) + len(lines) + len(end)
                for line in lines.splitlines():
                    try:
                        record = Record(**json.loads(line))
                    except (ValueError, TypeError):  # a line that a kill cut short
                        continue
                    self._records.setdefault(record.name, set()).add(record)

    def written(self, name: str, path: Path) -> Record | None:
        """Return the record of the file at ``path``, if it is still as this job wrote it."""
        records = self._records.get(name)
        if not records or not path.is_file():
            return None
        digest = hash_file(path)
        with self._lock:
            return next((record for record in records if record.output == digest), None)

    def made_from(self, name: str, photo: Path) -> bool:
        """Return whether an output of that name was made from a photo."""
        with self._lock:
            records = tuple(self._records.get(name, ()))
        return any(record.is_of(photo) for record in records)

    def has_colored(self, name: str, digest: str) -> bool:
        """Return whether an output of that name was made from a file of that content."""
        with self._lock:
            return any(record.input == digest for record in self._records.get(name, ()))

    def add(self, record: Record) -> None:
        """Remember an output that is about to be written."""
        if self._file is None:
            return
        line = json.dumps(asdict(record)).encode()
        with self._lock:
            self._records.setdefault(record.name, set()).add(record)
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("ab") as file:
                file.write(b"\n" + line + b"\n")  # the last line may have been cut short


def without_outputs(found: Search) -> list[Path]:
    """Return the photos that were found, without what folder jobs have written among them."""
    outputs = set()
    for folder in found.jobs:
        manifest = Manifest(folder)
        below = (path for path in found.photos if path.is_relative_to(folder))
        outputs |= {p for p in below if manifest.written(str(p.relative_to(folder)), p)}
    return [path for path in found.photos if path not in outputs]
