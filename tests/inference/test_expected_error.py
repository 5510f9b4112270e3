"""Where a model guesses: its doubt goes with its true error."""

from __future__ import annotations

import numpy as np
from conftest import colour_photos
from PIL import Image
from scipy.stats import spearmanr

from pix2color.color.lab import rgb_to_l_ab
from pix2color.inference.colorizer import Colorizer
from pix2color.models.header import ModelInfo


class Unsure:
    """A network that is as sure everywhere, but changes its mind on the right of a photo."""

    def __init__(self):
        self.calls = 0

    def __call__(self, L, *hints):
        self.calls += 1
        ab = np.zeros((len(L), 2, *L.shape[2:]), np.float32)
        half = L.shape[3] // 2
        mirrored = L[..., :half].mean() > L[..., half:].mean()  # the photo is lighter on the right
        side = slice(None, half) if mirrored else slice(half, None)
        ab[..., side] = 0.3 * (-1) ** self.calls
        return ab

    def with_doubt(self, L, *hints):
        return self(L, *hints), np.full((len(L), 1, *L.shape[2:]), 0.1, np.float32)


def test_a_change_of_mind_is_doubtful_where_it_is():
    photo = np.full((300, 400), 100, np.uint8)
    photo[:, 200:] = 150
    info = ModelInfo("unsure", render_size=128, gives_doubt=True)
    doubt = Colorizer(Unsure(), info).doubt(photo)
    assert doubt.shape == photo.shape
    assert doubt[:, 220:].min() > 2 * doubt[:, :180].max()
    for side in (doubt[:, :180], doubt[:, 220:]):
        assert np.ptp(side) < 1


def test_it_goes_with_the_true_error():
    model = Colorizer.load()
    doubts, errors = [], []
    for pixels in colour_photos().values():
        gray = Image.fromarray(pixels).convert("L")
        truth, found = (
            rgb_to_l_ab(np.ascontiguousarray(x.transpose(2, 0, 1))[None])[1][0]
            for x in (pixels, np.asarray(model.colorize(gray)))
        )
        errors.append(np.hypot(*np.asarray(truth - found))[::4, ::4].ravel() * 110)
        doubts.append(model.doubt(gray)[::4, ::4].ravel())
    doubt, error = np.concatenate(doubts), np.concatenate(errors)
    assert spearmanr(doubt, error).statistic > 0.45
    assert 0.5 < doubt.mean() / error.mean() < 2
