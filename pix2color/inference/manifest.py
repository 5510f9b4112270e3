"""The record of a folder job's outputs: none is made twice, and nothing foreign is replaced."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from pix2color.files import hash_file

FOLDER = ".pix2color"


@dataclass(frozen=True)
class Record:
    """One output, named relative to the folder of the job; the others are SHA-256."""

    name: str
    input: str
    settings: str
    output: str


class Manifest:
    """Holds the records of all processes that share a folder, in ``.pix2color/done-*.jsonl``.

    A record is written just before its output gets its name: after a kill, an output is either
    recorded, or not there, or there as it was before.

    Args:
        folder: of the job; None: remember nothing, every file that is there is somebody else's.
        process: number of this process among those that share the job.
    """

    def __init__(self, folder: Path | None, process: int = 0) -> None:
        self._file = folder and folder / FOLDER / f"done-{process}.jsonl"
        self._lock = threading.Lock()
        self._records: dict[str, set[Record]] = {}
        if self._file is None:
            return
        for path in sorted(self._file.parent.glob("done-*.jsonl")):
            for line in path.read_bytes().splitlines():
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
        return next((record for record in records if record.output == digest), None)

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
