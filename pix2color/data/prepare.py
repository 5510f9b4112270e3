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

from pix2color.data.deduplicate import perceptual_hash
from pix2color.data.prepared import DROPPED, HEADER, Dropped, Entry, read_header
from pix2color.data.prepared_builder import Builder, Reading, file_state
from pix2color.data.reading_processes import FEWER, reading_processes, started
from pix2color.data.sources import picture_colorfulness
from pix2color.errors import (
    DataError,
    ImageError,
    MissingExtraError,
    MissingPathError,
    OwnColorsError,
    UsageError,
)
from pix2color.extras import require
from pix2color.files import hash_bytes, replacing
from pix2color.imaging.folders import no_photo, search
from pix2color.imaging.io import encode_picture, read_file, read_rgb
from pix2color.inference.manifest import without_outputs
from pix2color.processes import cores
from pix2color.progress import track

_FORMAT = 1
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_JPEG = {"subsampling": 0}
_JPEG_QUALITY = 95


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
    """What became of the photos.

    Attributes:
        kept: how many the folder has.
        new: of these, how many came now.
        dropped: how many were left out, by the reason.
        removed: how many it had that have changed since, or are gone.
        unreadable: places that could not be looked into, and photos that take a package that is
            not installed, each with the reason.
    """

    kept: int
    new: int
    dropped: Counter[str]
    removed: int
    unreadable: dict[Path, str]

    def describe(self, folder: Path) -> str:
        """Return the counts in one line; ``folder`` is the prepared folder."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self.dropped.items()))
        left = f"; left out: {reasons} (listed in {folder / DROPPED})" if reasons else ""
        gone = f", {self.removed} taken out (changed or gone)" if self.removed else ""
        return f"{self.kept} photos prepared, {self.new} of them now{gone}{left}"


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

    Photos that are broken, too small, gray or nearly the same as an earlier one are left out. What
    ``out`` has of photos below ``sources`` that have changed since, or are gone, is taken out.
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
        TrainingError: a process that reads has died.
    """
    if how.shards:
        require("webdataset", "--shards")
    about = _read_licenses(licences) if licences else {}
    license_of = {path: line["licence"] for path, line in about.items()}
    there = _Sources(sources)
    found = there.photos
    if only is not None:
        column, value = only
        found = {path for path in found if about.get(path, {}).get(column) == value}
        if not found:
            raise DataError(f"--only {column}={value}: {licences} says so of none of the photos")
    _claim(out, how)
    builder = Builder(out, license_of, there.is_outdated, shards=how.shards)
    new = [path for path in sorted(found) if not builder.knows(path)]
    loader = DataLoader(
        _Readings(new, how),
        batch_size=None,
        num_workers=min(len(new), cores()) if workers is None else workers,
        collate_fn=_as_it_is,
    )
    try:
        with (
            reading_processes(lambda: FEWER + "run this again: what is done is kept"),
            track("prepare", len(new), "photos") as progress,
        ):
            for count, reading in enumerate(started(loader), start=1):
                builder.add(reading)
                progress(count, f"{builder.dropped.total()} left out")
    finally:
        builder.close()
    unreadable = there.unreadable | builder.missing
    return Summary(builder.kept, builder.new, builder.dropped, builder.removed, unreadable)


class _Sources:
    """The photos below folders, and which lines about them are not true any more.

    Raises:
        MissingPathError: a folder is not there.
        DataError: it holds no photo.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._roots = [folder.resolve() for folder in folders]
        self.photos: set[Path] = set()
        self.unreadable: dict[Path, str] = {}
        for folder in folders:
            found = search(folder)
            photos = without_outputs(found)
            if not photos:
                raise no_photo(folder, found)
            self.photos |= {path.resolve() for path in photos}
            self.unreadable |= found.unreadable
        self._hidden = [place.resolve() for place in self.unreadable]

    def is_outdated(self, line: Entry | Dropped) -> bool:
        """Return whether the photo of a line has changed since, or is gone."""
        path = Path(line.source)
        if path in self.photos:
            return file_state(path) != (line.bytes, line.modified)
        if any(path.is_relative_to(place) for place in self._hidden):
            return False
        return any(path.is_relative_to(root) for root in self._roots)


class _Readings(Dataset[Reading]):
    def __init__(self, paths: list[Path], how: Preparation) -> None:
        self.paths, self.how = paths, how

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Reading:
        path = self.paths[index]
        seen = Dropped(str(path), *file_state(path), sha256="", reason="")
        try:
            seen.sha256 = hash_bytes(read_file(path))
            return self._prepared(seen, read_rgb(path, min_side=self.how.size, original=True))
        except MissingExtraError as error:
            return Reading(seen, missing=str(error))
        except OwnColorsError:
            seen.reason = "coloured by pix2color"
        except ImageError as error:
            seen.reason = f"broken: {str(error).removeprefix(f'{path}: ')}"
        return Reading(seen)

    def _prepared(self, seen: Dropped, picture: Image.Image) -> Reading:
        how = self.how
        if min(picture.size) < how.min_side:
            seen.reason = f"too small: {picture.width} x {picture.height}"
            return Reading(seen)
        scale = how.size / min(picture.size)
        if scale < 1:
            size = (round(picture.width * scale), round(picture.height * scale))
            picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
        colors = round(picture_colorfulness(picture), 2)
        if colors < how.min_colorfulness:
            seen.reason = f"gray: colourfulness {colors:.1f}"
            return Reading(seen)
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
            return Reading(seen, entry, encode_picture(picture, "JPEG", _JPEG_QUALITY, _JPEG))
        return Reading(seen, entry, picture.tobytes())


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


def _as_it_is(reading: Any) -> Any:
    return reading
