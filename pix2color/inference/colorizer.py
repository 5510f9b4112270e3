"""A trained network put to use: the one object behind command line, Python and the page."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from pix2color.color.lab import AB_SCALE
from pix2color.color.recompose import chroma_maps, recompose
from pix2color.errors import ImageError, UsageError
from pix2color.files import SHIPPED_MODEL
from pix2color.imaging.grayscale import GrayPhoto, Source, as_gray_photo, read_gray_photo
from pix2color.imaging.io import output_path, read_file
from pix2color.inference.adjust import adjust, with_statistics
from pix2color.inference.colored_photo import ColoredPhoto
from pix2color.inference.hints import Hint
from pix2color.inference.network import (
    Network,
    load_network,
    network_inputs,
    predict_colors,
    use_one_thread,
)
from pix2color.inference.network_input import ReducedPhoto, reduce_photo, stack
from pix2color.inference.options import ColorizeOptions
from pix2color.inference.pipeline import Pipeline
from pix2color.models.model_file import ModelInfo
from pix2color.models.render import render
from pix2color.processes import cores

BATCH = 8
_MAX_PIXELS_HELD = 256_000_000  # of photos that are anywhere in a pipeline
_DEFAULTS = ColorizeOptions()


class HasColorError(ImageError):
    """A photo has colour already, and was not to be coloured by force."""


class Colorizer:
    """Colours photos of any size; their own luminance is kept, only colour is added.

    It is safe to use from several threads at once. A photo passes through ``read``, ``predict``
    and ``finish``; all else here is a way to call these three.

    Args:
        network: predicts ab (N, 2, H, W) from L (N, 1, H, W), both float32 on the CPU.
        info: header of its model file.
        device: where it runs.
    """

    def __init__(self, network: Network, info: ModelInfo, *, device: str = "cpu") -> None:
        self.network, self.info, self.device = network, info, torch.device(device)

    @classmethod
    def load(
        cls, model: Path | str | None = None, device: str = "auto", *, backend: str = "torch"
    ) -> Colorizer:
        """Load a colourizer from a run folder or a model file.

        Args:
            model: the run or file; by default the model that ships with the package.
            device: ``auto`` (the best at hand), ``cpu``, ``cuda``, ``cuda:1``, ``mps``, …
            backend: ``torch``, or ``onnx`` for a file that ``pix2color export`` has written.

        Raises:
            MissingPathError: nothing is there.
            ModelError: it is no model of ours, or damaged.
            UsageError: the device is not there, or the backend unknown.
            MissingExtraError: onnxruntime is not installed.
        """
        network, info, device = load_network(Path(model or SHIPPED_MODEL), device, backend)
        return cls(network, info, device=device)

    def render_size(self, options: ColorizeOptions = _DEFAULTS) -> int:
        """Return the short side, in pixels, of what the network looks at."""
        return options.render_size or self.info.render_size

    def colorize(
        self,
        source: Source,
        options: ColorizeOptions = _DEFAULTS,
        *,
        hints: Sequence[Hint] = (),
    ) -> Image.Image:
        """Colour one photo, whether or not it has colour already.

        Args:
            source: a file's path, a Pillow picture of any mode, or an array: uint8 (H, W) gray,
                (H, W, 3) sRGB or (H, W, 4) with alpha.
            options: how; those that concern files are not used.
            hints: what is known about its colours.

        Returns:
            An upright picture of the same size and luminance, in mode RGB, or RGBA if the photo
            has transparency.

        Raises:
            ImageError: the file cannot be read.
            ModelError: the network gave no colours.
            UsageError: the photo in ``like`` has no colours, a hint lies outside of the photo, or
                the model takes no hints.
            ValueError: an array has another shape or type.
        """
        return self._color(
            self._reduce(as_gray_photo(source), options, hints), options
        ).to_picture()

    def colorize_many(
        self, sources: Iterable[Source], options: ColorizeOptions = _DEFAULTS
    ) -> Iterator[Image.Image]:
        """Colour photos one after another, as a stream: in order, reading ahead a little.

        Reading, network and conversion overlap, and photos share batches. Arguments, results
        and errors are those of ``colorize``; the first error ends the stream.
        """

        def load(item: tuple[int, Source]) -> ReducedPhoto:
            return self._reduce(as_gray_photo(item[1]), options)

        def finish(_: tuple[int, Source], prepared: ReducedPhoto, maps: Tensor) -> Image.Image:
            return self.finish(prepared, maps).to_picture()

        early: dict[int, Image.Image] = {}
        due = 0
        for (index, _), result in self.pipeline(load, finish, options).run(enumerate(sources)):
            if isinstance(result, Exception):
                raise result
            early[index] = result
            while due in early:
                yield early.pop(due)
                due += 1

    def colorize_file(
        self,
        source: Path | str | bytes,
        options: ColorizeOptions = _DEFAULTS,
        *,
        name: Path | str | None = None,
        hints: Sequence[Hint] = (),
    ) -> bytes:
        """Colour a photo's file, and return the bytes of a file as the command line writes it.

        Args:
            source: the photo's path, or the bytes of its file.
            options: how.
            name: names the photo in errors, and the format of the result by its ending (a GIF
                becomes a PNG); by default the path's, and ``photo.jpg`` for bytes.
            hints: what is known about its colours.

        Raises:
            HasColorError: the photo has colour already, and ``options.force`` is not set.
            ImageError: it cannot be read, or the format cannot hold it.
            ModelError: the network gave no colours.
            UsageError: the photo in ``like`` has no colours, a hint lies outside of the photo, or
                the model takes no hints.
        """
        data = source if isinstance(source, bytes) else None
        path = Path("photo.jpg") if isinstance(source, bytes) else Path(source)
        if data is None and name is not None:
            data = read_file(path)
        path = Path(name or path)
        colored = self.color_file(path, data, options, hints)
        return colored.encode(output_path(path), options)

    def color_file(
        self,
        path: Path,
        data: bytes | None,
        options: ColorizeOptions,
        hints: Sequence[Hint] = (),
    ) -> ColoredPhoto:
        """Colour a photo's file; arguments are those of ``read``, errors of ``colorize_file``."""
        return self._color(self.read(path, data, options, hints), options)

    def read(
        self,
        path: Path,
        data: bytes | None,
        options: ColorizeOptions,
        hints: Sequence[Hint] = (),
    ) -> ReducedPhoto:
        """Read a photo's file and reduce it to what the network looks at.

        Args:
            path: of the file; names the photo in errors.
            data: its bytes, if they have been read already.
            options: ``force`` and ``render_size`` are used.
            hints: what is known about its colours.

        Raises:
            HasColorError: it has colour already, and ``options.force`` is not set.
            ImageError: it cannot be read.
            UsageError: a hint lies outside of it, or the model takes no hints.
        """
        photo = read_gray_photo(path, data)
        if photo.has_color and not options.force:
            raise HasColorError(
                f"{path}: has colour already and was left alone; --force colours it"
            )
        return self._reduce(photo, options, hints)

    @torch.inference_mode()
    def predict(
        self, batch: list[ReducedPhoto], options: ColorizeOptions = _DEFAULTS
    ) -> list[Tensor]:
        """Predict the chroma maps, uint8 (2, 4, h, w), of each of several photos of one ``group``.

        Raises:
            ModelError: they are too large for the memory, or the network gave no numbers.
        """
        gray = stack(batch)
        count, height, width = gray.shape
        ab = predict_colors(self.network, *network_inputs(batch), tta=options.tta)
        # Half of what the network saw is as fine as its colours are.
        gray = gray.reshape(count, height // 2, 2, width // 2, 2).mean((2, 4)).astype(np.uint8)
        ab = F.avg_pool2d(ab, 2)
        sides = [prepared.network_input.shape for prepared in batch]
        halves = [((h + 1) // 2, (w + 1) // 2) for h, w in sides]
        for i, (h, w) in enumerate(halves):
            ab[i : i + 1, :, :h, :w] = adjust(ab[i : i + 1, :, :h, :w], options)
        maps = chroma_maps(gray, ab)
        return [maps[i, :, :, :h, :w] for i, (h, w) in enumerate(halves)]

    def doubt(self, source: Source, *, hints: Sequence[Hint] = ()) -> np.ndarray:
        """Return how far the model expects its colours to be from the truth, at each pixel.

        Args:
            source: see ``colorize``.
            hints: what is known about its colours.

        Returns:
            float32 (H, W), at the size of the upright photo: a distance in a* and b*.

        Raises:
            UsageError: the model does not give its doubt; the rest is as for ``colorize``.
        """
        return self.predict_doubt(self._reduce(as_gray_photo(source), _DEFAULTS, hints))

    @torch.inference_mode()
    def predict_doubt(self, prepared: ReducedPhoto) -> np.ndarray:
        """Return the doubt about one photo that was read; see ``doubt``."""
        if not self.info.gives_doubt:
            raise UsageError(
                "doubt: this model gives none; use another --model, or teach it by "
                "`pix2color train-doubt`"
            )
        doubt = self.network.doubt(*network_inputs([prepared]))[0, 0] * AB_SCALE  # type: ignore[attr-defined]
        height, width = prepared.network_input.shape
        picture = Image.fromarray(doubt[:height, :width].numpy())
        height, width = prepared.photo.gray.shape
        return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))

    @torch.inference_mode()
    def finish(self, prepared: ReducedPhoto, maps: Tensor) -> ColoredPhoto:
        """Join a photo at full size to the chroma maps that were predicted for it."""
        return ColoredPhoto(prepared.photo, recompose(prepared.photo.gray, maps))

    def pipeline(
        self,
        load: Callable,
        finish: Callable,
        options: ColorizeOptions,
        workers: int | None = None,
    ) -> Pipeline:
        """Return a pipeline that overlaps reading, ``predict`` and finishing of many photos.

        Args:
            load: makes a ``ReducedPhoto`` of an item.
            finish: makes the result of the item, its ``ReducedPhoto`` and its chroma maps.
            options: for ``predict``.
            workers: threads; by default one for each core.
        """
        options = with_statistics(options)
        return Pipeline(
            load,
            lambda batch: self.predict(batch, options),
            finish,
            workers=workers or cores(),
            batch=BATCH,
            max_weight=_MAX_PIXELS_HELD,
            initializer=use_one_thread,
        )

    @torch.inference_mode()
    def predict_ab(self, L: Tensor, *hints: Tensor) -> Tensor:
        """Predict ab (N, 2, H, W), float32, of ``L`` (N, 1, H, W) in [-1, 1] at its own size.

        A model that takes hints can be given them besides, (N, 3, H, W).
        """
        predict = functools.partial(predict_colors, self.network)
        return render(predict, L, self.info.render_size, *hints)

    def _reduce(
        self, photo: GrayPhoto, options: ColorizeOptions, hints: Sequence[Hint] = ()
    ) -> ReducedPhoto:
        if hints and not self.info.takes_hints:
            raise UsageError("hints: this model takes none; leave them out, or use another --model")
        return reduce_photo(photo, self.render_size(options), hints)

    def _color(self, prepared: ReducedPhoto, options: ColorizeOptions) -> ColoredPhoto:
        return self.finish(prepared, self.predict([prepared], options)[0])
