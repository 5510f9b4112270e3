"""A trained generator put to use on photos of any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pix2color import color
from pix2color.models import Generator
from pix2color.models.files import ModelInfo, load_model
from pix2color.models.render import render

_STRIP_PIXELS = 1_000_000


class Colorizer:
    """Colours photos; their own luminance is kept at full size, only colour is added.

    Args:
        generator: predicts ab.
        info: header of its model file.
        render_size: short side, in pixels, of what the generator looks at; by default the size
            that it was trained on.
    """

    def __init__(
        self, generator: Generator, info: ModelInfo, *, render_size: int | None = None
    ) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.generator = generator.to(self.device).eval()
        self.info = info
        self.render_size = render_size or info.render_size

    @classmethod
    def from_file(cls, run_or_file: Path, *, render_size: int | None = None) -> Colorizer:
        """From a run folder or a model file.

        Raises:
            MissingPathError: nothing is there.
            ModelError: it is no model of ours.
        """
        return cls(*load_model(run_or_file), render_size=render_size)

    @torch.inference_mode()
    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """Colour one photo.

        Args:
            rgb: uint8 (3, H, W); a gray photo has three equal channels.

        Returns:
            uint8 (3, H, W) of the same L*, within what 8 bits can show.
        """
        photo = torch.from_numpy(rgb)[None].to(self.device)
        rows = max(1, _STRIP_PIXELS // photo.shape[3])  # the conversions need much memory
        L = torch.cat([color.encode(strip)[0] for strip in photo.split(rows, dim=2)], dim=2)
        ab = self.predict(L)
        strips = zip(L.split(rows, dim=2), ab.split(rows, dim=2), strict=True)
        colored = [(color.decode(*strip) * 255).round().to(torch.uint8) for strip in strips]
        return torch.cat(colored, dim=2)[0].cpu().numpy()

    @torch.inference_mode()
    def predict(self, L: Tensor) -> Tensor:
        """ab (N, 2, H, W), float32, for ``L`` (N, 1, H, W) in [-1, 1]."""
        return render(self.generator, L, self.render_size)
