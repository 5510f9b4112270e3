"""The metrics protocol: a model's figures on photos, beside those of the gray picture.

One protocol for everything, described in ``docs/metrics.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pix2color.color.lab import l_ab_to_rgb, rgb_to_l_ab
from pix2color.data.batches import default_workers, evaluation_batches
from pix2color.data.film import EFFECTS, apply_effects
from pix2color.data.sources import Photo, collect
from pix2color.errors import DataError
from pix2color.evaluation.patch_critic import verdicts
from pix2color.evaluation.perceptual import Perceptual
from pix2color.evaluation.scores import Row, Score, bootstrapped, to_bytes, with_intervals
from pix2color.inference.colorizer import Colorizer
from pix2color.inference.network import predict_colors
from pix2color.models.render import render
from pix2color.models.torch_network import choose_device
from pix2color.progress import track

PROTOCOL_SIZE = 256
GRAY = "gray"
MODEL = "model"
_FILM = "film"
INPUTS = ("lab", "luma", _FILM, *EFFECTS)
"""The kinds of gray picture that a model can be evaluated on."""
BATCH = 8
_KEPT = 400  # at most so many pictures, evenly spread, are held in memory
# 8-bit luma of Rec. 601, which is what a gray JPEG holds.
_LUMA = (0.299, 0.587, 0.114)


class Kept(NamedTuple):
    """Pictures that are held in memory, at most 400, evenly spread: uint8 (K, 3, 256, 256) each.

    ``outputs`` has them by the row's name.
    """

    outputs: dict[str, Tensor]
    truths: Tensor


class Folder(NamedTuple):
    """The part of an evaluation that is of one folder's photos."""

    photos: int
    rows: dict[str, dict[str, Score]]


@dataclass
class Evaluation:
    """The figures of a model on photos.

    Attributes:
        photos: how many were evaluated.
        left_out: how many were gray or unreadable.
        rows: ``gray`` and ``model``, each a score by the measure's name.
        pictures: a dict a photo: its path and the model's measures.
        folders: by the name of the folder that holds the photos: how many there are, and the
            measures that are one number a picture of each row (not of a known gray one).
        kept: what later measures look at; None for an evaluation that was read from a file.
    """

    photos: int
    left_out: int
    rows: dict[str, dict[str, Score]]
    pictures: list[dict[str, Any]] = field(repr=False)
    folders: dict[str, Folder] = field(repr=False, default_factory=dict)
    kept: Kept | None = field(repr=False, default=None)

    def samples(self, count: int) -> list[tuple[np.ndarray, ...]]:
        """Return (gray, model, truth) of so many kept photos, each uint8 (3, 256, 256)."""
        assert self.kept is not None
        columns = [self.kept.outputs[GRAY], self.kept.outputs[MODEL], self.kept.truths]
        total = len(self.kept.truths)
        shown = np.linspace(0, total - 1, min(count, total)).round().astype(int)
        return [tuple(column[i].numpy() for column in columns) for i in shown]


def evaluate(
    colorizer: Colorizer,
    folders: list[Path],
    *,
    model_input: str = "lab",
    critic: bool = True,
    perceptual: Perceptual | None = None,
) -> Evaluation:
    """Score a model on the colour photos in ``folders``, searched recursively.

    Raises:
        MissingPathError: a folder is not there.
        DataError: there is no color photo; the rest is as for ``evaluate_photos``.
    """
    photos = collect(folders)
    return evaluate_photos(
        colorizer, photos, model_input=model_input, critic=critic, perceptual=perceptual
    )


def evaluate_photos(
    colorizer: Colorizer,
    photos: list[Photo],
    *,
    model_input: str = "lab",
    critic: bool = True,
    perceptual: Perceptual | None = None,
    gray: dict[str, Score] | None = None,
) -> Evaluation:
    """Score a model on colour photos by the protocol.

    Args:
        colorizer: the model.
        photos: at least one.
        model_input: one of ``INPUTS``: ``lab``, the picture's own L*; ``luma``, its 8-bit luma, as
            a gray file would hold; ``film``, what is left of it on a worn black-and-white photo,
            or one such effect alone. The colors are judged on the picture's own L* (on the luma,
            for ``luma``).
        critic: train the patch critic too, by far the slowest measure; see ``add_critic``.
        perceptual: measures by trained networks, too.
        gray: the gray pictures' scores, if they are known from another model's evaluation.

    Raises:
        DataError: none of them has color.
    """
    rows = {MODEL: Row()} if gray else {GRAY: Row(), MODEL: Row()}
    paths, truths = _measure(colorizer, photos, model_input, rows)
    outputs = {name: row.outputs() for name, row in rows.items()}
    scores = {
        name: {
            **row.scores(),
            "critic": Score(math.nan),
            **_perceptual_scores(perceptual, outputs[name], truths),
        }
        for name, row in rows.items()
    }
    evaluation = Evaluation(
        photos=len(paths),
        left_out=len(photos) - len(paths),
        rows=({GRAY: gray} if gray else {}) | scores,
        pictures=rows[MODEL].by_photo(paths),
        folders=_by_folder(paths, rows),
        kept=Kept(outputs, truths),
    )
    if critic:
        add_critic(evaluation)
    return evaluation


def add_critic(evaluation: Evaluation) -> None:
    """Train a patch critic for each row that was measured here, and enter its score."""
    assert evaluation.kept is not None
    for name, outputs in evaluation.kept.outputs.items():
        right = verdicts(outputs, evaluation.kept.truths, label=f"patch critic, {name}")
        if len(right):
            evaluation.rows[name]["critic"] = bootstrapped(right.double().numpy())


def protocol_pictures(
    colorizer: Colorizer, photos: list[Photo]
) -> dict[str, tuple[np.ndarray, ...]]:
    """Return the squares of the protocol by path: (gray, model, truth), uint8 (3, 256, 256)."""
    found: dict[str, tuple[np.ndarray, ...]] = {}
    for pixels, paths in evaluation_batches(photos, size=PROTOCOL_SIZE, batch_size=BATCH):
        L, _ = rgb_to_l_ab(pixels)
        ab = predicted_ab(colorizer, L)
        columns = [to_bytes(l_ab_to_rgb(L, colors)) for colors in (torch.zeros_like(ab), ab)]
        for path, *triple in zip(paths, *columns, pixels, strict=True):
            found[str(path)] = tuple(picture.numpy() for picture in triple)
    return found


def _measure(
    colorizer: Colorizer, photos: list[Photo], model_input: str, rows: dict[str, Row]
) -> tuple[list[Path], Tensor]:
    """Run the model over the photos and fill the rows.

    Returns:
        paths of the photos that have color, and the truths that are kept, uint8 (K, 3, 256, 256).

    Raises:
        DataError: none has.
    """
    paths: list[Path] = []
    kept: list[Tensor] = []
    every = math.ceil(len(photos) / _KEPT)
    device = torch.device(choose_device())
    batches = evaluation_batches(
        photos,
        size=PROTOCOL_SIZE,
        batch_size=BATCH,
        workers=default_workers(photos, device),
    )
    with track("evaluate", len(photos), "photos") as progress:
        for pixels, names in batches:
            chosen = slice(-len(paths) % every, None, every)
            truth = pixels.to(device)
            L, _ = rgb_to_l_ab(_gray_file(truth) if model_input == "luma" else truth)
            own = model_input in ("lab", "luma")
            ab = predicted_ab(colorizer, L if own else _worn(truth, model_input, seed=len(paths)))
            for name, row in rows.items():
                row.add(L, torch.zeros_like(ab) if name == GRAY else ab, truth, chosen)
            kept.append(pixels[chosen])
            paths += names
            progress(len(paths))
    if not paths:
        raise DataError(
            f"{photos[0].path.parent}: none of {len(photos)} photos has colour; give colour photos"
        )
    return paths, torch.cat(kept)


def _perceptual_scores(
    perceptual: Perceptual | None, outputs: Tensor, truths: Tensor
) -> dict[str, Score]:
    if perceptual is None:
        return {}
    found = perceptual.by_picture(outputs, truths)
    scores = {name: bootstrapped(values.double().numpy()) for name, values in found.items()}
    distances = perceptual.pooled(outputs, truths)
    return scores | {name: Score(value) for name, value in distances.items()}


def _by_folder(paths: list[Path], rows: dict[str, Row]) -> dict[str, Folder]:
    names = np.array([path.parent.name for path in paths])
    values = {name: row.pictures() for name, row in rows.items()}
    return {
        str(folder): Folder(
            int((names == folder).sum()),
            {
                row: with_intervals({k: v[names == folder] for k, v in measures.items()})
                for row, measures in values.items()
            },
        )
        for folder in np.unique(names)
    }


def predicted_ab(colorizer: Colorizer, L: Tensor, *hints: Tensor) -> Tensor:
    """Return the ab (N, 2, H, W) that a model predicts of ``L`` (N, 1, H, W) at its render size.

    A model that takes hints can be given them besides, (N, 3, H, W).
    """

    def predict(*given: Tensor) -> Tensor:
        arrays = (np.ascontiguousarray(x.cpu().numpy()) for x in given)
        return torch.from_numpy(predict_colors(colorizer.network, *arrays)).to(L.device)

    return render(predict, L, colorizer.info.render_size, *hints)


def _worn(truth: Tensor, effect: str, *, seed: int) -> Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return apply_effects(truth, EFFECTS if effect == _FILM else (effect,))


def _gray_file(pixels: Tensor) -> Tensor:
    """Return the pictures as a gray file would hold them, uint8 with three equal channels."""
    weights = torch.tensor(_LUMA, device=pixels.device).view(1, 3, 1, 1)
    return (pixels * weights).sum(1, keepdim=True).round().byte().expand_as(pixels)
