"""Writers of prepared folders; what a kill leaves behind is whole up to some picture."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from dataclasses import astuple, fields, replace
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

from pix2color.data.prepared import PICTURES, Dropped, Entry, read_lines
from pix2color.errors import DataError
from pix2color.files import replacing

_SHARD_BYTES, _SHARD_PICTURES = 256_000_000, 2_000
Line = TypeVar("Line", Entry, Dropped)


class Lines(Generic[Line]):
    """A CSV file that lines are added to.

    Attributes:
        found: the lines that it has.

    Raises:
        DataError: they are not of this kind.
    """

    def __init__(self, path: Path, kind: type[Line]) -> None:
        self.path = path
        types = {field.name: {"int": int, "float": float}.get(str(field.type), str)
                 for field in fields(kind)}  # fmt: skip
        self._names = list(types)
        try:
            self.found: list[Line] = [
                kind(**{name: types[name](text) for name, text in line.items()})
                for line in read_lines(path)
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}: cannot be read ({error}); prepare anew") from error
        self._waiting: list[Line] = []

    def keep(self, lines: list[Line]) -> None:
        """Write the file anew with these lines alone."""
        self.found = lines
        with replacing(self.path) as temporary:
            temporary.write_bytes(self._text([self._names, *map(astuple, lines)]))

    def add(self, line: Line) -> None:
        """Remember one more line until the next ``flush``."""
        self._waiting.append(line)

    def flush(self) -> None:
        """Write what waits."""
        with self.path.open("ab") as file:
            file.write(self._text(list(map(astuple, self._waiting))))
        self._waiting = []

    @staticmethod
    def _text(rows: list[Any]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        return text.getvalue().encode("utf-8", errors="surrogateescape")


class RawPictures:
    """Raw RGB, one picture after another in one file.

    Args:
        folder: prepared, or to be.
        entries: of its manifest.
        gone: of pictures that are to go.

    Attributes:
        entries: those whose pictures are there.
    """

    def __init__(self, folder: Path, entries: list[Entry], gone: list[Entry]) -> None:
        path = folder / PICTURES
        path.touch()
        size = path.stat().st_size
        self.entries = [entry for entry in entries if entry.offset + entry.length <= size]
        self._end = max((entry.offset + entry.length for entry in self.entries), default=0)
        self._file: BinaryIO = path.open("r+b")
        self._file.truncate(self._end)
        self._file.seek(self._end)
        self._gone = gone
        self._waiting: list[Entry] = []

    def erase(self) -> None:
        """Blank the pictures that are to go, once no manifest speaks of them."""
        for entry in self._gone:
            self._file.seek(entry.offset)
            self._file.write(bytes(max(0, min(entry.length, self._end - entry.offset))))
        self._file.seek(self._end)

    def add(self, entry: Entry, data: bytes) -> None:
        """Write a picture; ``entry`` need not say where."""
        self._file.write(data)
        place = replace(entry, file=PICTURES, offset=self._end, length=len(data))
        self._waiting.append(place)
        self._end += len(data)

    def take(self) -> list[Entry]:
        """Return the entries of the pictures that are safely written since the last call."""
        self._file.flush()
        taken, self._waiting = self._waiting, []
        return taken

    def close(self) -> list[Entry]:
        """Write what waits, and return its entries."""
        taken = self.take()
        self._file.close()
        return taken


class Shards:
    """JPEG files in WebDataset shards. A shard gets its name when it is complete.

    Args:
        folder: prepared, or to be.
        entries: of its manifest.
        gone: of pictures that are to go; what else their shards hold moves to new ones.

    Attributes:
        entries: those whose pictures are there.
    """

    def __init__(self, folder: Path, entries: list[Entry], gone: list[Entry]) -> None:
        from webdataset import TarWriter

        self._writer = TarWriter
        self.folder = folder
        self.entries = [entry for entry in entries if (folder / entry.file).is_file()]
        numbers = (int(Path(entry.file).stem.partition("-")[2]) for entry in (*entries, *gone))
        self._number = max(numbers, default=-1) + 1
        self._part = folder / ".shard.tar.part"
        self._tar: Any = None
        self._open: list[Entry] = []
        self._bytes = 0
        self._outdated = sorted({folder / entry.file for entry in gone})
        for path in self._outdated:
            self._move_from(path)

    def erase(self) -> None:
        """Remove the shards of pictures that are to go, once no manifest speaks of them."""
        for path in self._outdated:
            path.unlink(missing_ok=True)

    def _move_from(self, path: Path) -> None:
        staying = [entry for entry in self.entries if entry.file == path.name]
        self.entries = [entry for entry in self.entries if entry.file != path.name]
        if staying:
            with path.open("rb") as shard:
                for entry in staying:
                    shard.seek(entry.offset)
                    self.add(entry, shard.read(entry.length))
            self.entries += self.close()

    def add(self, entry: Entry, data: bytes) -> None:
        """Write a picture; ``entry`` need not say where."""
        if self._tar is None:
            self._tar = self._writer(str(self._part), mtime=0.0)
        about = {"source": entry.source, "sha256": entry.sha256, "licence": entry.licence}
        key = f"{self._number:06d}-{len(self._open):06d}"
        self._tar.write({"__key__": key, "jpg": data, "json": json.dumps(about).encode()})
        self._open.append(entry)
        self._bytes += len(data)

    def take(self) -> list[Entry]:
        """Return the entries of the pictures whose shards were completed since the last call."""
        full = self._bytes >= _SHARD_BYTES or len(self._open) >= _SHARD_PICTURES
        return self.close() if full else []

    def close(self) -> list[Entry]:
        """Complete the last shard, and return the entries of its pictures."""
        if self._tar is None:
            return []
        self._tar.close()
        path = self.folder / f"shard-{self._number:06d}.tar"
        with tarfile.open(self._part) as tar:
            places = [(m.offset_data, m.size) for m in tar if m.name.endswith(".jpg")]
        self._part.replace(path)
        done = [
            replace(entry, file=path.name, offset=offset, length=length)
            for entry, (offset, length) in zip(self._open, places, strict=True)
        ]
        self._tar, self._open, self._bytes = None, [], 0
        self._number += 1
        return done
