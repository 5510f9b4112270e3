"""Photos decoded once, checked and reduced, into a folder that training reads at memory speed."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from torch.utils.data import DataLoader, Dataset

from pix2color.data.deduplicate import NearDuplicates, perceptual_hash
from pix2color.data.prepared import DROPPED, HEADER, MANIFEST, Dropped, Entry, read_header
from pix2color.data.prepared_writer import Lines, RawPictures, Shards
from pix2color.data.sources import picture_colorfulness
from pix2color.errors import DataError, ImageError, MissingPathError, UsageError
from pix2color.extras import require
from pix2color.files import hash_bytes, replacing
from pix2color.imaging.io import encode_picture, find_photos, read_rgb
from pix2color.processes import cores
from pix2color.progress import track

_FORMAT = 1
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_JPEG = {"subsampling": 0}
_JPEG_QUALITY = 95
_FLUSH_EVERY = 64


@dataclass(frozen=True)
class Preparation:
    """How photos are prepared.

    Attributes:
        size: of the short side; smaller photos stay as they are.
        min_side: photos with a shorter side are left out.
        min_colorfulness: photos below it count as gray and are left out.
        shards: write WebDataset shards of JPEG files instead of raw pixels.
    """

    size: int = 288
    min_side: int = 96
    min_colorfulness: float = 6.0
    shards: bool = False


@dataclass
class Summary:
    """Counts of the photos: of all kept in the folder, of the new ones, and of those left out."""

    kept: int
    new: int
    dropped: Counter[str]

    def describe(self, folder: Path) -> str:
        """Return the counts in one line; ``folder`` is the prepared folder."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self.dropped.items()))
        left = f"; left out: {reasons} (listed in {folder / DROPPED})" if reasons else ""
        return f"{self.kept} photos prepared, {self.new} of them now{left}"


def prepare(
    sources: Sequence[Path],
    out: Path,
    how: Preparation,
    *,
    licences: Path | None = None,
    only: tuple[str, str] | None = None,
    workers: int | None = None,
) -> Summary:
    """Prepare every photo below ``sources`` that ``out`` does not have yet.

    Photos that are broken, too small, gray or nearly the same as an earlier one are left out.
    It can be stopped at any time: what is done is kept, and the order is always the same.

    Args:
        sources: folders, searched recursively.
        out: the prepared folder, new or to be added to.
        how: must be that of the folder, if there is one.
        licences: CSV with columns ``file`` (relative to the CSV) and ``licence``.
        only: another column of it and a value: photos without that value are passed over.
        workers: processes that read; by default one for each core.

    Raises:
        MissingPathError: a source or the CSV is not there.
        DataError: a source holds no photo, or none has the value of ``only``.
        UsageError: ``out`` is something else, or was prepared in another way.
        MissingExtraError: shards are wanted and the webdataset package is missing.
    """
    if how.shards:
        require("webdataset", "--shards")
    about = _read_licenses(licences) if licences else {}
    license_of = {path: line["licence"] for path, line in about.items()}
    found = {path.resolve() for source in sources for path in find_photos(source)}
    if only is not None:
        column, value = only
        found = {path for path in found if about.get(path, {}).get(column) == value}
        if not found:
            raise DataError(f"--only {column}={value}: {licences} says so of none of the photos")
    _claim(out, how)
    builder = _Builder(out, how, license_of)
    new = [path for path in sorted(found) if not builder.knows(path)]
    loader = DataLoader(
        _Readings(new, how),
        batch_size=None,
        num_workers=min(len(new), cores()) if workers is None else workers,
        collate_fn=_as_it_is,
    )
    try:
        with track("prepare", len(new), "photos") as progress:
            for count, reading in enumerate(loader, start=1):
                builder.add(reading)
                progress(count, f"{builder.dropped.total()} left out")
    finally:
        builder.close()
    return Summary(builder.kept, builder.new, builder.dropped)


@dataclass
class _Reading:
    """A photo that was read: ``data`` of its picture, or the reason why it is of no use."""

    seen: Dropped
    entry: Entry | None = None
    data: bytes = b""


class _Readings(Dataset[_Reading]):
    def __init__(self, paths: list[Path], how: Preparation) -> None:
        self.paths, self.how = paths, how

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> _Reading:
        path = self.paths[index]
        seen = Dropped(str(path), *_state(path), sha256="", reason="")
        try:
            seen.sha256 = hash_bytes(path.read_bytes())
            return self._prepared(seen, read_rgb(path, min_side=self.how.size))
        except OSError as error:
            seen.reason = f"broken: {error.strerror}"
        except ImageError as error:
            seen.reason = f"broken: {str(error).removeprefix(f'{path}: ')}"
        return _Reading(seen)

    def _prepared(self, seen: Dropped, picture: Image.Image) -> _Reading:
        how = self.how
        if min(picture.size) < how.min_side:
            seen.reason = f"too small: {picture.width} x {picture.height}"
            return _Reading(seen)
        scale = how.size / min(picture.size)
        if scale < 1:
            size = (round(picture.width * scale), round(picture.height * scale))
            picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        colors = round(picture_colorfulness(picture), 2)
        if colors < how.min_colorfulness:
            seen.reason = f"gray: colourfulness {colors:.1f}"
            return _Reading(seen)
        entry = Entry(
            source=seen.source,
            bytes=seen.bytes,
            modified=seen.modified,
            sha256=seen.sha256,
            width=picture.width,
            height=picture.height,
            colorfulness=colors,
            hash=f"{perceptual_hash(picture):032x}",
        )
        if how.shards:
            return _Reading(seen, entry, encode_picture(picture, "JPEG", _JPEG_QUALITY, _JPEG))
        return _Reading(seen, entry, picture.tobytes())


class _Builder:
    """Adds pictures to a prepared folder, or says why not."""

    def __init__(self, folder: Path, how: Preparation, license_of: dict[Path, str]) -> None:
        self.license_of = license_of
        self._manifest, self._drops = (
            Lines(folder / MANIFEST, Entry),
            Lines(folder / DROPPED, Dropped),
        )
        kind = Shards if how.shards else RawPictures
        self._pictures = kind(folder, self._manifest.found)
        self._manifest.keep(self._pictures.entries)
        self._drops.keep(self._drops.found)
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
        return self._known.get(str(path)) == _state(path)

    def add(self, reading: _Reading) -> None:
        """The next picture."""
        seen, entry = reading.seen, reading.entry
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
            return f"duplicate: of {same}"
        near = self._near.find(int(entry.hash, 16))
        return "" if near is None else f"near-duplicate: of {near}"

    def _learn(self, entry: Entry) -> None:
        self._known[entry.source] = entry.bytes, entry.modified
        self._contents[entry.sha256] = entry.source
        self._near.add(int(entry.hash, 16), entry.source)


def _claim(folder: Path, how: Preparation) -> None:
    """Make sure that ``folder`` is one to add to, and was prepared in the same way."""
    header = {"format": _FORMAT, **asdict(how)}
    if (folder / HEADER).is_file():
        for name, value in header.items():
            found = read_header(folder).get(name)
            if found != value:
                raise UsageError(
                    f"{folder}: was prepared with {name} {found}, not {value}; "
                    "give the same, or another --out"
                )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: holds something else; choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / HEADER) as temporary:
        temporary.write_text(json.dumps(header, indent=2), encoding="utf-8")


def _read_licenses(path: Path) -> dict[Path, dict[str, str]]:
    if not path.is_file():
        raise MissingPathError(f"{path}: no such file")
    try:
        data = path.read_bytes()
        # As spreadsheets save it: with a mark of the encoding, in some countries with semicolons.
        text = data.decode("utf-16" if data[:2] in _UTF_16 else "utf-8-sig")
        header = text.partition("\n")[0]
        delimiter = ";" if header.count(";") > header.count(",") else ","
        lines = list(csv.DictReader(io.StringIO(text), delimiter=delimiter, restval=""))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is no CSV file in UTF-8") from error
    if not lines or not {"file", "licence"} <= set(lines[0]):
        raise DataError(f"{path}: needs columns named file and licence in its first line")
    return {(path.parent / line["file"]).resolve(): line for line in lines}


def _state(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _kind(reason: str) -> str:
    return reason.partition(":")[0]


def _as_it_is(reading: Any) -> Any:
    return reading
