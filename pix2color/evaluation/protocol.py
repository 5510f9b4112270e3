"""The metrics protocol: figures of systems on photos, beside those of the gray picture.

One protocol for everything, described in ``docs/metrics.md``.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pix2color.color.lab import l_ab_to_rgb, rgb_to_l_ab
from pix2color.data.batches import default_workers
from pix2color.data.reading_processes import reading_processes
from pix2color.data.sources import Photo, collect
from pix2color.errors import DataError
from pix2color.evaluation.evaluation import Evaluation, Folder, Kept
from pix2color.evaluation.papers import InceptionOfPapers, PapersRow, inception_if_here
from pix2color.evaluation.patch_critic import verdicts
from pix2color.evaluation.perceptual import Perceptual
from pix2color.evaluation.predictions import (
    PredictionFolder,
    Predictions,
    paired,
    without_predictions,
)
from pix2color.evaluation.scores import Row, Score, bootstrapped, to_bytes, with_intervals
from pix2color.evaluation.squares import OWN, SIDE, Protocol, squares
from pix2color.evaluation.systems import (
    GRAY,
    MODEL,
    Judged,
    Seen,
    System,
    made,
    seen_of,
    usable,
)
from pix2color.inference.colorizer import Colorizer
from pix2color.models.torch_network import choose_device
from pix2color.progress import track

PROTOCOL_SIZE = SIDE
BATCH = 8
_KEPT = 400  # at most so many pictures, evenly spread, are held in memory


def evaluate(
    colorizer: Colorizer,
    folders: Sequence[Path],
    *,
    predictions: Sequence[PredictionFolder] = (),
    protocol: Protocol = OWN,
    model_input: str = "lab",
    critic: bool = True,
    perceptual: Perceptual | None = None,
) -> Evaluation:
    """Score a model, and what other programs have made, on the colour photos in ``folders``.

    Raises:
        MissingPathError: a folder is not there.
        DataError: there is no color photo, or a program has no picture of any of them, or two
            that could be of one; the rest is as for ``evaluate_photos``.
    """
    photos, systems = systems_on(colorizer, folders, predictions)
    return evaluate_photos(
        systems,
        photos,
        protocol=protocol,
        model_input=model_input,
        critic=critic,
        perceptual=perceptual,
    )


def systems_on(
    colorizer: Colorizer, folders: Sequence[Path], predictions: Sequence[PredictionFolder]
) -> tuple[list[Photo], dict[str, System]]:
    """Return the photos in ``folders``, and the model and the programs' pictures of them.

    Raises:
        MissingPathError, DataError: see ``evaluate``.
    """
    photos = without_predictions(collect(folders), folders, predictions)
    systems: dict[str, System] = {MODEL: colorizer}
    systems |= {folder.name: paired(folder, photos, folders) for folder in predictions}
    return photos, systems


def evaluate_photos(
    systems: Mapping[str, System],
    photos: Sequence[Photo],
    *,
    protocol: Protocol = OWN,
    model_input: str = "lab",
    critic: bool = True,
    perceptual: Perceptual | None = None,
    gray: dict[str, Score] | None = None,
) -> Evaluation:
    """Score systems on colour photos by a protocol.

    Args:
        systems: models and predictions by their names, at least one.
        photos: at least one.
        protocol: ours, or one of the papers'.
        model_input: one of ``INPUTS``: ``lab``, the picture's own L*; ``luma``, its 8-bit luma, as
            a gray file would hold; ``film``, what is left of it on a worn black-and-white photo,
            or one such effect alone. The colors are judged on the picture's own L* (on the luma,
            for ``luma``).
        critic: train the patch critic too, by far the slowest measure; see ``add_critic``.
        perceptual: measures by trained networks, too.
        gray: the gray pictures' scores, if they are known from another model's evaluation.

    Raises:
        DataError: none of them has color, or a program has no picture of one that does.
    """
    features = inception_if_here() if protocol.papers else None
    every = {**({} if gray else {GRAY: None}), **systems}
    judged = {
        name: Judged(system, PapersRow(features) if protocol.papers else Row())
        for name, system in every.items()
    }
    paths, truths = _measure(judged, photos, protocol, model_input, features)
    kept = Kept(
        {name: one.row.outputs() for name, one in judged.items()},
        {name: one.places for name, one in judged.items()},
        truths,
    )
    scores = {name: one.row.scores() for name, one in judged.items()}
    for name, row in scores.items() if not protocol.papers else ():
        row["critic"] = Score(math.nan)
        if perceptual is not None:
            row |= perceptual.scores(kept.outputs[name], truths[kept.places[name]])
    evaluation = Evaluation(
        photos=len(paths),
        left_out=len(photos) - len(paths),
        rows=({GRAY: gray} if gray else {}) | scores,
        systems={name: judged[name].found() for name in systems},
        folders={} if protocol.papers else _by_folder(judged),
        kept=kept,
        protocol=protocol,
    )
    if critic and not protocol.papers:
        add_critic(evaluation)
    return evaluation


def add_critic(evaluation: Evaluation) -> None:
    """Train a patch critic for each row that was measured here, and enter its score."""
    assert evaluation.kept is not None
    kept = evaluation.kept
    for name, outputs in kept.outputs.items():
        truths = kept.truths[kept.places[name]]
        right = verdicts(outputs, truths, label=f"patch critic, {name}")
        if len(right):
            evaluation.rows[name]["critic"] = bootstrapped(right.double().numpy())


def protocol_pictures(system: System, photos: Sequence[Photo]) -> dict[str, tuple[np.ndarray, ...]]:
    """Return the squares of the protocol by path: (gray, system, truth), uint8 (3, 256, 256).

    Photos of which a program has no picture are left out.
    """
    found: dict[str, tuple[np.ndarray, ...]] = {}
    for batch in squares(photos, _predictions([system]), OWN, batch_size=BATCH):
        there, pictures = usable(batch, system)
        if not there:
            continue
        truths = batch.truths[there]
        L, _ = rgb_to_l_ab(truths)
        ab, _ = made(system, L, pictures)
        columns = [to_bytes(l_ab_to_rgb(L, colors)) for colors in (torch.zeros_like(ab), ab)]
        for i, *triple in zip(there, *columns, truths, strict=True):
            found[str(batch.paths[i])] = tuple(picture.numpy() for picture in triple)
    return found


def _predictions(systems: Iterable[System]) -> list[Predictions]:
    return [system for system in systems if isinstance(system, Predictions)]


@reading_processes(lambda: "free some, and run this again")
def _measure(
    judged: Mapping[str, Judged],
    photos: Sequence[Photo],
    protocol: Protocol,
    model_input: str,
    features: InceptionOfPapers | None,
) -> tuple[list[Path], Tensor]:
    """Show the photos to all systems and fill their rows.

    Returns:
        paths of the photos that have color, and the truths that are kept, uint8 (K, 3, 256, 256).

    Raises:
        DataError: none has, or there is no picture to judge of a system.
    """
    paths: list[Path] = []
    kept: list[Tensor] = []
    every = math.ceil(len(photos) / _KEPT)
    device = torch.device(choose_device())
    batches = squares(
        photos,
        _predictions(one.system for one in judged.values()),
        protocol,
        batch_size=BATCH,
        workers=default_workers(photos, device),
    )
    with track("evaluate", len(photos), "photos") as progress:
        for batch in batches:
            chosen = list(range(len(batch.paths)))[-len(paths) % every :: every]
            truth, L, given = seen_of(batch.truths.to(device), model_input, len(paths))
            learned = None if features is None else features(truth)
            seen = Seen(batch, truth, L, given, chosen, sum(map(len, kept)), learned)
            for one in judged.values():
                one.add(seen)
            kept.append(batch.truths[chosen])
            paths += batch.paths
            progress(len(paths))
    if not paths:
        raise DataError(
            f"{photos[0].path.parent}: none of {len(photos)} photos has colour; give colour photos"
        )
    for one in judged.values():
        one.check()
    return paths, torch.cat(kept)


def _by_folder(judged: Mapping[str, Judged]) -> dict[str, Folder]:
    rows: dict[str, dict[str, dict[str, Score]]] = defaultdict(dict)
    counts: Counter[str] = Counter()
    for row, one in judged.items():
        names = np.array([path.parent.name for path in one.paths])
        values = one.row.pictures()
        for folder in np.unique(names).tolist():
            within = names == folder
            rows[folder][row] = with_intervals({k: v[within] for k, v in values.items()})
            counts[folder] = max(counts[folder], int(within.sum()))
    return {folder: Folder(counts[folder], rows[folder]) for folder in sorted(rows)}
