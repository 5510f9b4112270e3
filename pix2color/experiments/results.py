"""Systems beside each other: what was found, and its table, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

from pix2color.evaluation import systems as evaluated
from pix2color.evaluation.predictions import Predictions
from pix2color.evaluation.records import plain
from pix2color.evaluation.scores import Score
from pix2color.evaluation.systems import GRAY, Found
from pix2color.evaluation.tables import Measure, aligned, cell, known_measures
from pix2color.experiments.costs import Costs

COSTS = {  # of Costs: heading, format, meaning
    "parameters": ("parameters, millions", lambda n: f"{n / 1e6:.2f}", "Weights of the generator."),
    "gflops": ("GFLOPs at 256²", "{:.1f}".format, "Work for one picture of 256 × 256 pixels."),
    "pictures_per_second": (
        "pictures/s in training",
        "{:.1f}".format,
        "On the machine that trained it, validation not counted.",
    ),
    "minutes": ("minutes of training", "{:.1f}".format, "Of this stage alone, without validation."),
    "steps": ("steps", "{}".format, "Of the optimizer."),
}


@dataclass
class System:
    """One system: what it scored, photo by photo too, and what it cost.

    Attributes:
        name: of its recipe, or of the folder of another program's pictures.
        scores: by the measure's name.
        found: for each photo its path and the measures of it, and what there is no picture of.
        costs: of its training and network, if it was trained here.
        start: name or file of the model that its training started from.
        made_by: what its pictures are from; None: from the run of its name.
    """

    name: str
    scores: dict[str, Score]
    found: Found = field(repr=False)
    costs: Costs | None = None
    start: str | None = None
    made_by: evaluated.System = field(repr=False, default=None)

    @property
    def photos(self) -> list[dict[str, Any]]:
        """For each photo that it has a picture of its path and the measures of it."""
        return self.found.pictures


@dataclass
class Comparison:
    """Systems that were trained with one budget and evaluated on the same photos.

    Attributes:
        systems: those that were trained and evaluated.
        gray: scores of the gray pictures.
        photos: how many were evaluated.
        left_out: how many were gray or unreadable.
        budget: of each training, in words; empty if there was none.
        failed: by name, why a recipe gave no system.
        command: that made it.
    """

    systems: list[System]
    gray: dict[str, Score]
    photos: int
    left_out: int
    budget: str
    failed: dict[str, str]
    command: str

    def rows(self) -> dict[str, dict[str, Score]]:
        """Scores by system, the gray picture's first."""
        return {GRAY: self.gray, **{system.name: system.scores for system in self.systems}}

    def best(self, name: str, measure: Measure) -> str | None:
        """Return which row is clearly the best by a measure, of those that have all photos."""
        whole = {s.name for s in self.systems if len(s.photos) == self.photos} | {GRAY}
        rows = self.rows().items()
        return clearly_best({row: s[name] for row, s in rows if row in whole}, measure)

    @property
    def trained(self) -> dict[str, Costs]:
        """The costs of the systems that were trained here, by name."""
        return {s.name: s.costs for s in self.systems if s.costs is not None}


def clearly_best(scores: dict[str, Score], measure: Measure) -> str | None:
    """Return who is best by a measure, if its interval is apart from all others' as shown.

    The gray picture takes part: a system that does not beat it is not the best.
    """
    if not measure.better:
        return None
    spans = {name: _badness(score, measure.better) for name, score in scores.items()}
    best = min(spans, key=lambda name: spans[name][1])
    ends = [low for name, (low, _) in spans.items() if name != best]
    shown = [round(end, measure.digits) for end in (spans[best][1], min(ends, default=-math.inf))]
    return best if shown[0] < shown[1] else None


def _badness(score: Score, better: str) -> tuple[float, float]:
    """Return the interval turned so that less is better; all numbers if there is none."""
    if score.low is None or score.high is None:
        return -math.inf, math.inf
    if better == "↑":
        return -score.high, -score.low
    if better == "↓":
        return score.low, score.high
    goal = float(better.removeprefix("→"))
    ends = sorted((abs(score.low - goal), abs(score.high - goal)))
    return (0.0 if score.low <= goal <= score.high else ends[0]), ends[1]


def markdown(comparison: Comparison) -> str:
    """Return the table with a line a measure, as it is printed and in ``table.md``."""
    rows = comparison.rows()
    lines = [["measure", "better", *rows]]
    for name, measure in known_measures(comparison.gray).items():
        best = comparison.best(name, measure)
        cells = [cell(scores[name], measure.digits) for scores in rows.values()]
        cells = [f"**{c}**" if row == best else c for row, c in zip(rows, cells, strict=True)]
        lines.append([measure.heading, measure.better, *cells])
    costs = comparison.trained
    for name, (heading, shown, _) in COSTS.items() if costs else ():
        values = [shown(getattr(costs[row], name)) if row in costs else "–" for row in rows]
        lines.append([heading, "", *values])
    return aligned(lines) + "\n\n" + "\n\n".join(notes(comparison)) + "\n"


def notes(comparison: Comparison) -> list[str]:
    """Return the notes that belong to the table."""
    trained = f"Trained for {comparison.budget} each. " if comparison.budget else ""
    said = [
        f"{comparison.photos} photos, {comparison.left_out} left out (gray or unreadable). "
        f"{trained}Brackets: 95 % intervals over the photos. "
        "Bold: best, its interval apart from the second's."
    ]
    said += [
        f"{s.name} starts from {s.start}, whose costs it does not count."
        for s in comparison.systems
        if s.start
    ]
    said += [
        f"{s.name} is what another program has made, in {s.made_by.folder.path}."
        for s in comparison.systems
        if isinstance(s.made_by, Predictions)
    ]
    said += [
        f"{s.name} has {len(s.photos)} of the photos, and takes no part in what is bold: "
        f"missing {len(s.found.missing)}, of no use {len(s.found.unusable)}."
        for s in comparison.systems
        if len(s.photos) < comparison.photos
    ]
    return said + failures(comparison)


def failures(comparison: Comparison) -> list[str]:
    """Return a line for each recipe that gave no system."""
    return [f"{name} failed: {why}" for name, why in comparison.failed.items()]


def to_csv(comparison: Comparison) -> str:
    """Return CSV with a line a system: every figure, its interval's ends, and the costs."""
    lines: list[dict[str, Any]] = []
    costs = comparison.trained
    counts = {system.name: len(system.photos) for system in comparison.systems}
    for row, scores in comparison.rows().items():
        line: dict[str, Any] = {"system": row, "photos": counts.get(row, comparison.photos)}
        for name, (value, low, high) in plain(scores).items():
            line |= {name: value, f"{name}_low": low, f"{name}_high": high}
        lines.append(line | {name: getattr(costs.get(row), name, None) for name in COSTS})
    return as_csv(lines)


def as_csv(lines: list[dict[str, Any]]) -> str:
    """Return dicts with the same keys as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def to_json(comparison: Comparison) -> str:
    """Return JSON of all figures but those of single photos."""
    systems = {
        s.name: {
            "start": s.start,
            "photos": len(s.photos),
            "missing": s.found.missing,
            "unusable": s.found.unusable,
            "scores": plain(s.scores),
            "costs": s.costs and asdict(s.costs),
        }
        for s in comparison.systems
    }
    found = {
        "command": comparison.command,
        "budget": comparison.budget,
        "photos": comparison.photos,
        "left_out": comparison.left_out,
        "gray": plain(comparison.gray),
        "systems": systems,
        "failed": comparison.failed,
    }
    return json.dumps(found, indent=2, ensure_ascii=False)
