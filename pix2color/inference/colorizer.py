"""A trained generator put to use: the one object behind command line, Python and web."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from pix2color.color.lab import lightness
from pix2color.color.recompose import Planes, chroma_maps, recompose
from pix2color.errors import ModelError, UsageError
from pix2color.imaging.grayscale import GrayPhoto, gray_photo, read_gray_photo
from pix2color.inference.adjust import Look
from pix2color.inference.network import DEFAULT_MODEL, Network, torch_network
from pix2color.inference.pipeline import Pipeline
from pix2color.models.model_file import ModelInfo, load_model
from pix2color.models.render import render
from pix2color.processes import cores

BATCH = 8
_ROOM = 256_000_000  # pixels held at a time
_PAD = 16  # sides of what the network sees are multiples of this, so that photos share batches
# From this on: torch 2.13 reads memory that nobody wrote in some bf16 convolutions of width 2.
_LEAST_SIDE = 64
_MOST_SEEN = 2_000_000  # pixels that the network is shown, of long strips
_FADED_BLACK, _FADED_WHITE = 30, 226  # gray levels, L* of 11 and 90
_FRESH = (17, 241)  # L* of 5 and 95
_LEAST_CONTRAST = 40  # more would be made of noise
_AS_PREDICTED = Look()

Source = Path | str | Image.Image | np.ndarray


@dataclass(frozen=True)
class Prepared:
    """A photo and what the network is shown of it: gray, uint8 (h, w)."""

    photo: GrayPhoto
    seen: np.ndarray

    @property
    def group(self) -> tuple[int, ...]:
        return tuple(_padded(side) for side in self.seen.shape)

    @property
    def weight(self) -> int:
        return self.photo.gray.size


class Colorizer:
    """Colours photos of any size; their own luminance is kept, only colour is added.

    Safe to use from several threads at once.

    Args:
        network: predicts ab (N, 2, H, W) from L (N, 1, H, W), both float32 on the CPU.
        info: header of its model file.
        device: where it runs.
        render_size: short side, in pixels, of what the network looks at; by default the size
            that it was trained on.
        tta: average over the picture and its mirror image (test-time augmentation).
    """

    def __init__(
        self,
        network: Network,
        info: ModelInfo,
        *,
        device: str = "cpu",
        render_size: int | None = None,
        tta: bool = False,
    ) -> None:
        self.device = torch.device(device)
        self.network = network
        self.info = info
        self.render_size = render_size or info.render_size
        self.tta = tta

    @classmethod
    def load(
        cls,
        model: Path | str | None = None,
        device: str = "auto",
        *,
        backend: str = "torch",
        render_size: int | None = None,
        tta: bool = False,
    ) -> Colorizer:
        """A colourizer from a run folder or a model file.

        Args:
            model: the run or file; by default the model that ships with the package.
            device: ``auto`` (the best at hand), ``cpu``, ``cuda``, ``cuda:1``, ``mps``, …
            backend: ``torch``, or ``onnx`` for a file that ``pix2color export`` has written.
            render_size: see the class.
            tta: see the class.

        Raises:
            MissingPathError: nothing is there.
            ModelError: it is no model of ours, or damaged.
            UsageError: the device is not there, or the backend unknown.
            MissingExtraError: onnxruntime is not installed.
        """
        path = Path(model or DEFAULT_MODEL)
        if backend == "onnx":
            from pix2color.models.onnx_graph import load_onnx

            network, info = load_onnx(path)
            device = "cpu"
        elif backend == "torch":
            device = _device(device)
            generator, info = load_model(path)
            network = torch_network(generator, device)
        else:
            raise UsageError(f"backend {backend!r} is unknown; there are torch and onnx")
        return cls(network, info, device=device, render_size=render_size, tta=tta)

    def colorize(self, source: Source, look: Look = _AS_PREDICTED) -> Image.Image:
        """Colour one photo, whether or not it has colour already.

        Args:
            source: a file's path, a Pillow picture of any mode, or an array: uint8 (H, W) gray,
                (H, W, 3) sRGB or (H, W, 4) with alpha.
            look: what to do to the colours.

        Returns:
            An upright picture of the same size and luminance, in mode RGB, or RGBA if the photo
            has transparency.

        Raises:
            ImageError: the file cannot be read.
            ModelError: the network gave no colours.
            ValueError: an array has another shape or type.
        """
        prepared = self.prepare(_photo(source))
        return _picture(prepared.photo, self.finish(prepared, self.predict([prepared], look)[0]))

    def colorize_many(
        self, sources: Iterable[Source], look: Look = _AS_PREDICTED
    ) -> Iterator[Image.Image]:
        """Colour photos one after another, as a stream: in order, reading ahead a little.

        Reading, network and conversion overlap, and photos share batches. Arguments, results
        and errors are those of ``colorize``; the first error ends the stream.
        """

        def load(item: tuple[int, Source]) -> Prepared:
            return self.prepare(_photo(item[1]))

        def finish(item: tuple[int, Source], prepared: Prepared, maps: Tensor) -> Image.Image:
            return _picture(prepared.photo, self.finish(prepared, maps))

        early: dict[int, Image.Image] = {}
        due = 0
        for (index, _), result in self.pipeline(load, finish, look).run(enumerate(sources)):
            if isinstance(result, Exception):
                raise result
            early[index] = result
            while due in early:
                yield early.pop(due)
                due += 1

    def pipeline(
        self, load: Callable, finish: Callable, look: Look, workers: int | None = None
    ) -> Pipeline:
        """Around the network: item → Prepared before it, (item, Prepared, maps) → result after.

        Each thread computes alone: on a CPU, threads that each serve one photo get more done
        than threads that share one.
        """
        return Pipeline(
            load,
            lambda batch: self.predict(batch, look),
            finish,
            workers=workers or cores(),
            batch=BATCH,
            room=_ROOM,
            prepare=lambda: torch.set_num_threads(1),
        )

    def prepare(self, photo: GrayPhoto) -> Prepared:
        """Reduce a photo to what the network looks at."""
        picture = Image.fromarray(photo.gray)
        most = (_MOST_SEEN / (picture.width * picture.height)) ** 0.5
        scale = min(self.render_size / min(picture.size), most)
        if scale < 1:
            width, height = (max(1, round(side * scale)) for side in picture.size)
            picture = picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
        return Prepared(photo, np.asarray(picture))

    @torch.inference_mode()
    def predict(self, batch: list[Prepared], look: Look = _AS_PREDICTED) -> list[Tensor]:
        """What ``finish`` needs of each of several photos of one ``group``: uint8 (2, 4, h, w).

        Raises:
            ModelError: they are too large for the memory, or the network gave no numbers.
        """
        height, width = batch[0].group
        sides = [prepared.seen.shape for prepared in batch]
        seen = np.stack(
            [
                np.pad(prepared.seen, ((0, height - h), (0, width - w)), mode="edge")
                for prepared, (h, w) in zip(batch, sides, strict=True)
            ]
        )
        fresh = np.stack([_unfaded(picture) for picture in seen])
        try:
            ab = self._predict(torch.from_numpy(lightness(fresh))[:, None])
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            raise ModelError("out of memory; a smaller --render-size needs less") from error
        # Half of what the network saw is as fine as its colours are.
        seen = seen.reshape(len(batch), height // 2, 2, width // 2, 2).mean((2, 4)).astype(np.uint8)
        ab = F.avg_pool2d(ab, 2)
        halves = [((h + 1) // 2, (w + 1) // 2) for h, w in sides]
        for i, (h, w) in enumerate(halves):
            ab[i : i + 1, :, :h, :w] = look(ab[i : i + 1, :, :h, :w])
        maps = chroma_maps(seen, ab)
        return [maps[i, :, :, :h, :w] for i, (h, w) in enumerate(halves)]

    @torch.inference_mode()
    def finish(self, prepared: Prepared, maps: Tensor) -> Planes:
        """The colour picture, at full size, from what was predicted for it."""
        return recompose(prepared.photo.gray, maps)

    @torch.inference_mode()
    def predict_ab(self, L: Tensor) -> Tensor:
        """ab (N, 2, H, W), float32, for ``L`` (N, 1, H, W) in [-1, 1], at its own size."""
        return render(self._predict, L, self.render_size)

    def _predict(self, L: Tensor) -> Tensor:
        ab = self.network(L)
        if self.tta:
            ab = (ab + self.network(L.flip(3)).flip(3)) / 2
        if not ab.sum().isfinite():
            raise ModelError("the model gave no colours (NaN); it is damaged, or badly trained")
        return ab


def _device(name: str) -> str:
    if name == "auto":
        found = torch.accelerator.current_accelerator(check_available=True)
        if found is None:
            return "cpu"
        # Where torchrun has started several processes, each takes a device of its own.
        count = torch.accelerator.device_count()
        return f"{found.type}:{int(os.environ.get('LOCAL_RANK', '0')) % count}"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"device {name}: not here ({str(error).splitlines()[0]})") from error
    return name


def _unfaded(gray: np.ndarray) -> np.ndarray:
    """A faded picture, uint8 (h, w), as contrasty as a fresh one; any other as it is.

    So that a faded print gets the colours of a fresh one. Where either black or white is there, low
    contrast may well be the scene's own.
    """
    black, white = np.percentile(gray, (0.5, 99.5))
    if black < _FADED_BLACK or white > _FADED_WHITE:
        return gray
    shares = (np.arange(256) - black) / max(white - black, _LEAST_CONTRAST)
    low, high = _FRESH
    return (low + (high - low) * shares).clip(0, 255).round().astype(np.uint8)[gray]


def _padded(side: int) -> int:
    return max(_LEAST_SIDE, math.ceil(side / _PAD) * _PAD)


def _is_out_of_memory(error: Exception) -> bool:
    text = str(error)
    return (
        isinstance(error, (MemoryError, torch.OutOfMemoryError))
        or "out of memory" in text
        or "allocate memory" in text  # torch's words for it on a CPU
    )


def _photo(source: Source) -> GrayPhoto:
    if isinstance(source, (str, Path)):
        return read_gray_photo(Path(source))
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or not (
            source.ndim == 2 or (source.ndim == 3 and source.shape[2] in (3, 4))
        ):
            raise ValueError(
                "a photo must be uint8 with a shape of (H, W), (H, W, 3) or (H, W, 4). "
                f"Got {source.dtype} {source.shape}"
            )
        source = Image.fromarray(source)
    return gray_photo(source)


def _picture(photo: GrayPhoto, planes: Planes) -> Image.Image:
    picture = planes.to_picture()
    if photo.alpha is not None:
        picture.putalpha(Image.fromarray(photo.alpha))
    return picture
