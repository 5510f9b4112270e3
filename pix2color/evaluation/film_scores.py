"""The measures of a coloured film: how still its colours are, and how near to the true ones.

``docs/metrics.md`` has the formulas.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from av.video.reformatter import ColorRange
from scipy.special import rel_entr  # type: ignore[import-untyped]

from pix2color import metrics
from pix2color.color.lab import rgb_to_lab
from pix2color.errors import DataError
from pix2color.evaluation.protocol import PROTOCOL_SIZE
from pix2color.evaluation.systems import GRAY
from pix2color.inference.colorizer import Colorizer
from pix2color.inference.options import ColorizeOptions
from pix2color.inference.video.coloring import FilmColorizer, quarter_turns
from pix2color.inference.video.film import Film
from pix2color.inference.video.motion import flow, warp
from pix2color.inference.video.planes import Luma, colored_frame, luma_of
from pix2color.progress import track

PER_FRAME, STEADY, TRUTH = "per frame", "steady", "true film"
LAGS = (1, 2, 4)
"""Frames between the two whose histograms CDC compares."""
_DEEP, _WHITE = "yuv444p16le", 65535
_EVERY = 5  # frames, of which one is compared with the truth: CIEDE2000 is slow
_TOLERANCE = 0.5  # squared pixels by which there and back may miss its start …
_TOLERANCE_SHARE = 0.01  # … and a share of the squared motion
_SAME_BRIGHTNESS = 10  # gray levels
_SAME_SCENE = 0.25  # share of a frame that has to be in the one before
_DEFAULTS = ColorizeOptions()


@dataclass(frozen=True)
class FilmEvaluation:
    """The figures of a film: by row (gray, per frame, steady, true film), by measure.

    Attributes:
        frames: how many were measured.
        rows: a figure that there is none of is NaN.
    """

    frames: int
    rows: dict[str, dict[str, float]]


def evaluate_film(
    path: Path,
    colorizer: Colorizer,
    options: ColorizeOptions = _DEFAULTS,
    seconds: float | None = None,
) -> FilmEvaluation:
    """Colour the luma of a film in colour, and measure the results against it.

    Args:
        path: of the film.
        colorizer: the model.
        options: how to colour.
        seconds: measure so much of it; None: all.

    Raises:
        DataError: the film has no colour.
        ImageError, MissingPathError, ModelError: see ``colorize_video``.
    """
    with Film(path) as film:
        if not film.has_color():
            raise DataError(f"{path}: has no colour to compare with; give films in colour")
        known, *seen = itertools.tee(_small_frames(film, seconds), 3)
        per_frame, steady = (
            FilmColorizer(colorizer, options, steady=way, subsampling=(1, 1)).run(
                gray for gray, _ in frames
            )
            for way, frames in zip((False, True), seen, strict=True)
        )
        scores = FilmScores()
        total = max(1, round(min(film.seconds, seconds or film.seconds) * film.rate))
        with track(f"evaluate {path.name}", total, "frames") as progress:
            for (gray, truth), *colored in zip(known, per_frame, steady, strict=True):
                outputs = [gray, *(frame.to_frame(_DEEP) for frame in colored)]
                names = (GRAY, PER_FRAME, STEADY)
                scores.add(truth, dict(zip(names, map(_rgb, outputs), strict=True)))
                progress(scores.frames)
        return FilmEvaluation(scores.frames, scores.rows())


def mean_over_films(evaluations: list[FilmEvaluation]) -> FilmEvaluation:
    """Return the mean of each figure, each film counting as much; NaN if one film has none."""
    first = evaluations[0].rows
    rows = {
        row: {
            name: float(np.mean([evaluation.rows[row][name] for evaluation in evaluations]))
            for name in measures
        }
        for row, measures in first.items()
    }
    return FilmEvaluation(sum(evaluation.frames for evaluation in evaluations), rows)


class FilmScores:
    """Collects the measures of a film, frame by frame; only sums are kept.

    Attributes:
        frames: how many were added.
    """

    def __init__(self) -> None:
        self.frames = 0
        self._motion = _TrueMotion()
        self._rows: dict[str, _Row] = {}

    def add(self, truth: np.ndarray, rows: dict[str, np.ndarray]) -> None:
        """Measure the next frame.

        Args:
            truth: RGB, uint8 (H, W, 3).
            rows: the same frame of each coloured film, RGB, float32 (H, W, 3) in [0, 1], by a name
                that is the same every time.
        """
        followed = self._motion.step(truth)
        true_picture = _Picture(truth / np.float32(255))
        for name, rgb in {**rows, TRUTH: true_picture.rgb}.items():
            row = self._rows.setdefault(name, _Row())
            picture = _Picture(rgb)
            row.add(picture, followed)
            if self.frames % _EVERY == 0:
                row.compare(picture, true_picture)
        self.frames += 1

    def rows(self) -> dict[str, dict[str, float]]:
        """Return the measures of each row; those of the true film itself are in the last one."""
        true_colors = self._rows[TRUTH].means["colorfulness"]
        return {name: row.scores(true_colors) for name, row in self._rows.items()}


class _Means:
    """Means by name, of values that come one at a time; NaN where none came."""

    def __init__(self) -> None:
        self._sums: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()

    def add(self, name: str, value: float) -> None:
        self._sums[name] += value  # type: ignore[assignment]
        self._counts[name] += 1

    def __getitem__(self, name: str) -> float:
        count = self._counts[name]
        return self._sums[name] / count if count else math.nan


class _Picture:
    """A frame, RGB, float32 (H, W, 3) in [0, 1]; the same and its Lab as tensors (1, 3, H, W)."""

    def __init__(self, rgb: np.ndarray) -> None:
        self.rgb = rgb
        planes = np.ascontiguousarray(rgb.transpose(2, 0, 1))[None]
        self.tensor, self.lab = torch.from_numpy(planes), torch.from_numpy(rgb_to_lab(planes))

    def ab(self) -> np.ndarray:
        return self.lab[0, 1:].permute(1, 2, 0).contiguous().numpy()

    def histogram(self) -> np.ndarray:
        """Return the shares of the 256 levels, (3, 256)."""
        levels = (self.rgb.reshape(-1, 3) * 255).round().astype(np.uint8)
        return np.stack([np.bincount(channel, minlength=256) for channel in levels.T]) / len(levels)


@dataclass
class _Row:
    means: _Means = field(default_factory=_Means)
    histograms: deque[np.ndarray] = field(default_factory=lambda: deque(maxlen=max(LAGS)))
    ab_before: np.ndarray | None = None

    def add(self, picture: _Picture, followed: tuple[np.ndarray, np.ndarray] | None) -> None:
        ab = picture.ab()
        if followed is not None and self.ab_before is not None:
            where, agrees = followed
            change = np.abs(ab - warp(self.ab_before, where))
            self.means.add("warping_error", float(change[agrees].mean()))
        self.ab_before = ab
        histogram = picture.histogram()
        for lag in LAGS:
            if lag <= len(self.histograms):
                self.means.add(f"cdc {lag}", _divergence(histogram, self.histograms[-lag]))
        self.histograms.append(histogram)

    def compare(self, picture: _Picture, truth: _Picture) -> None:
        self.means.add("squared_error", float((picture.tensor - truth.tensor).square().mean()))
        self.means.add("delta_e", float(metrics.ciede2000(picture.lab, truth.lab).mean()))
        self.means.add("colorfulness", float(metrics.colorfulness(picture.tensor)))

    def scores(self, true_colorfulness: float) -> dict[str, float]:
        error, colors = self.means["squared_error"], self.means["colorfulness"]
        return {
            "warping_error": self.means["warping_error"],
            "cdc": float(np.mean([self.means[f"cdc {lag}"] for lag in LAGS])),
            "psnr": -10 * math.log10(error) if error else math.nan,
            "delta_e": self.means["delta_e"] if error else math.nan,
            "colorfulness_ratio": colors / true_colorfulness if true_colorfulness else math.nan,
        }


class _TrueMotion:
    """Follows a true film from frame to frame."""

    def __init__(self) -> None:
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._before: np.ndarray | None = None

    def step(self, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Return where each place was in the frame before, as x, y, and whether that is certain.

        Nothing is returned of the first frame, and where a scene begins.
        """
        now = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        before, self._before = self._before, now
        if before is None:
            return None
        back, forth = flow(self._search, now, before), flow(self._search, before, now)
        where = back + np.indices(now.shape, np.float32)[::-1].transpose(1, 2, 0)
        there = warp(forth, where)
        miss = _squared_length(back + there)
        lengths = _squared_length(back) + _squared_length(there)
        agrees = miss < _TOLERANCE + _TOLERANCE_SHARE * lengths
        agrees &= cv2.absdiff(now, warp(before, where)) < _SAME_BRIGHTNESS
        return (where, agrees) if agrees.mean() >= _SAME_SCENE else None


def _squared_length(vectors: np.ndarray) -> np.ndarray:
    return np.einsum("...c,...c", vectors, vectors)


def _divergence(first: np.ndarray, second: np.ndarray) -> float:
    """Return the mean Jensen–Shannon divergence, in nats, of distributions, (N, 256) each."""
    middle = (first + second) / 2
    return float((rel_entr(first, middle) + rel_entr(second, middle)).sum(1).mean() / 2)


def _small_frames(film: Film, seconds: float | None) -> Iterator[tuple[av.VideoFrame, np.ndarray]]:
    """Yield each frame, upright, as a gray film has it and in its colours, RGB, uint8 (H, W, 3).

    The gray one has 16 bits, so that its colours are measured before they are rounded to levels.
    """
    for frame in film.frames():
        if seconds is not None and film.seconds_at(frame.pts) >= seconds:
            break
        luma = luma_of(frame)
        height, width = luma.plane.shape[0], luma.plane.shape[1] * film.pixel_aspect
        scale = min(1, PROTOCOL_SIZE / min(height, width))
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        if not (frame.format.is_rgb or frame.format.has_palette):
            # What it does not say is taken as by those that colour it.
            frame.colorspace = luma.matrix
            frame.color_range = ColorRange.JPEG if luma.full else ColorRange.MPEG
        truth = cv2.resize(
            frame.to_ndarray(format="rgb24"), size[::-1], interpolation=cv2.INTER_AREA
        )
        levels = (luma.shares(size).clip(0, 1) * _WHITE).round().astype(np.uint16)
        turns = quarter_turns(frame)
        upright = Luma(np.rot90(levels, turns), 16, full=True, matrix=luma.matrix)
        neutral = np.full((2, *upright.plane.shape), _WHITE // 2 + 1, np.uint16)
        gray = colored_frame(upright, neutral, _DEEP)
        gray.pts = frame.pts
        yield gray, np.ascontiguousarray(np.rot90(truth, turns))


def _rgb(frame: av.VideoFrame) -> np.ndarray:
    return frame.to_ndarray(format="rgb48le") / np.float32(_WHITE)
