"""A trained generator put to use on photos of any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pix2color import color
from pix2color.models import Generator
from pix2color.models.files import ModelInfo, load_model

_STRIP_PIXELS = 1_000_000


class Colorizer:
    """Colours photos; their own luminance is kept at full size, only colour is added.

    Args:
        generator: in eval mode.
        info: header of its model file.
        render_size: short side, in pixels, of what the generator looks at.
    """

    def __init__(self, generator: Generator, info: ModelInfo, *, render_size: int = 256) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.generator = generator.to(self.device).eval()
        self.info = info
        self.render_size = render_size

    @classmethod
    def from_file(cls, run_or_file: Path, *, render_size: int = 256) -> Colorizer:
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
        ab = self.predict(color.encode(self._small(photo))[0])
        return self._decode(photo, ab)[0].cpu().numpy()

    @torch.inference_mode()
    def predict(self, L: Tensor) -> Tensor:
        """The generator's ab (N, 2, H, W), float32, for ``L`` (N, 1, H, W) in [-1, 1]."""
        return self.generator(L)

    def _small(self, photo: Tensor) -> Tensor:
        """The photo at render size; one that is smaller already stays as it is."""
        height, width = photo.shape[2:]
        scale = self.render_size / min(height, width)
        if scale >= 1:
            return photo
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        pixels = F.interpolate(photo.float(), size, mode="bicubic", antialias=True)
        return (pixels / 255).clamp(0, 1)

    def _decode(self, photo: Tensor, ab: Tensor) -> Tensor:
        """ab enlarged under the photo's own L, strip by strip to bound the memory."""
        height, width = photo.shape[2:]
        ab = F.interpolate(ab, (height, width), mode="bilinear", align_corners=False)
        result = torch.empty_like(photo)
        rows = max(1, _STRIP_PIXELS // width)
        for top in range(0, height, rows):
            strip = slice(top, top + rows)
            L, _ = color.encode(photo[:, :, strip])
            rgb = color.decode(L, ab[:, :, strip])
            result[:, :, strip] = (rgb * 255).round().to(torch.uint8)
        return result
