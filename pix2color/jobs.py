"""Colouring many files: which goes where, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pix2color import console, images
from pix2color.colorizer import Colorizer
from pix2color.errors import ImageError, MissingPathError, UsageError

# GIF has too few colours for a photo; its colour version becomes a PNG.
_OTHER_ENDINGS = {".gif": ".png"}


@dataclass
class Outcome:
    """One photo's fate; ``error`` is None if ``output`` was written."""

    input: Path
    output: Path
    error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"input": str(self.input), "output": str(self.output), "error": self.error}


def plan(paths: list[Path], out: Path) -> list[tuple[Path, Path]]:
    """Input and output of every photo named or below a folder named.

    Raises:
        MissingPathError: a path is not there.
        DataError: a folder holds no photo.
        UsageError: an output would overwrite an input or another output.
    """
    pairs = []
    for path in paths:
        if path.is_dir():
            pairs += [(photo, out / photo.relative_to(path)) for photo in images.find_photos(path)]
        elif path.exists():
            pairs.append((path, out / path.name))
        else:
            raise MissingPathError(f"{path}: no such file or folder")
    pairs = [(p, t.with_suffix(_OTHER_ENDINGS.get(t.suffix.lower(), t.suffix))) for p, t in pairs]
    inputs = {photo.resolve() for photo, _ in pairs}
    taken: dict[Path, Path] = {}
    for photo, target in pairs:
        place = target.resolve()
        if place in inputs:
            raise UsageError(f"{target}: would overwrite a photo; choose another --out")
        if taken.setdefault(place, photo) != photo:
            raise UsageError(
                f"{taken[place]} and {photo} would both become {target}; run them apart"
            )
    return pairs


def colorize_all(
    pairs: list[tuple[Path, Path]], model: Path, *, render_size: int | None
) -> list[Outcome]:
    """Colour every photo; one that fails is told on stderr and does not stop the others.

    Raises:
        MissingPathError, ModelError: the model cannot be used.
    """
    colorizer = Colorizer.from_file(model, render_size=render_size)
    outcomes = []
    with console.progress("colorize", len(pairs), "photos") as progress:
        for photo, target in pairs:
            outcome = Outcome(photo, target)
            try:
                pixels = images.to_array(images.read(photo))
                images.write(target, images.from_array(colorizer(pixels)))
            except ImageError as error:
                outcome.error = str(error)
            except (MemoryError, RuntimeError) as error:  # torch's word for out of memory
                outcome.error = f"{photo}: not coloured ({str(error).splitlines()[0]})"
            if outcome.error:
                console.say(f"failed: {outcome.error}")
            outcomes.append(outcome)
            progress(len(outcomes))
    return outcomes
