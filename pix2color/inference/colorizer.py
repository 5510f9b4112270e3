"""A trained network put to use: the one object behind command line, Python and the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pix2color.color.recompose import chroma_maps, recompose
from pix2color.errors import HasColorError, UsageError
from pix2color.files import coloring_model
from pix2color.imaging.color_measure import is_doubtful
from pix2color.imaging.grayscale import GrayPhoto, Source, as_gray_photo, read_gray_photo
from pix2color.imaging.io import output_path, read_file
from pix2color.inference.adjust import adjust, with_statistics
from pix2color.inference.colored_photo import ColoredPhoto
from pix2color.inference.doubt import expected_error
from pix2color.inference.hints import Hint
from pix2color.inference.network import Network, load_network, network_inputs, predict_colors
from pix2color.inference.network_input import ReducedPhoto, halved, reduce_photo
from pix2color.inference.options import ColorizeOptions
from pix2color.inference.pipeline import Pipeline
from pix2color.inference.shared_model import shared_model
from pix2color.models.header import ModelInfo
from pix2color.processes import cores

BATCH = 8
_MAX_PIXELS_HELD = 256_000_000  # of photos that are anywhere in a pipeline
_DEFAULTS = ColorizeOptions()


class Colorizer:
    """Colours photos of any size; their own luminance is kept, only colour is added.

    It is safe to use from several threads at once. A photo passes through ``read``, ``predict``
    and ``finish``; all else here is a way to call these three.

    Args:
        network: predicts ab (N, 2, H, W) from L (N, 1, H, W), both float32.
        info: header of its model file.
    """

    def __init__(self, network: Network, info: ModelInfo) -> None:
        self.network, self.info = network, info

    @classmethod
    def load(cls, model: Path | str = "default", device: str = "auto") -> Colorizer:
        """Load a colourizer from a model file or a run folder.

        Args:
            model: an ONNX file, which onnxruntime runs; a run folder or a ``.safetensors`` file,
                which torch runs; or the name of a model that ships with the package.
            device: ``auto`` (the best at hand), ``cpu``, or another that ``pix2color doctor``
                lists.

        Raises:
            MissingPathError: nothing is there.
            ModelError: it is no model of ours, or damaged.
            UsageError: the device is not there.
            MissingExtraError: torch is needed and not installed.
        """
        return cls(*load_network(coloring_model(model), device))

    @classmethod
    def from_pretrained(cls, source: Path | str, device: str = "auto") -> Colorizer:
        """Load a shared colourizer, as ``pix2color export --format folder`` writes it.

        Args:
            source: the folder, or the name of a repository of the Hugging Face hub, such as
                ``name/photos``, of which the model for colouring is fetched.
            device: see ``load``.

        Raises:
            MissingPathError: there is no such folder, and the name is no repository's.
            ModelError: it cannot be fetched, or is no model of ours.
            MissingExtraError: huggingface_hub is needed and not installed.
        """
        return cls.load(shared_model(source), device)

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
            source: a file's path, its bytes, an opened file, a Pillow picture of any mode, or an
                array: (H, W) gray, (H, W, 3) sRGB or (H, W, 4) with alpha, uint8 or floating point
                in [0, 1]; gray may be uint16, too.
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
            ValueError: an array has another shape, type or range.
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

        def finish(_: tuple[int, Source], prepared: ReducedPhoto, ab: np.ndarray) -> Image.Image:
            return self.finish(prepared, ab, options).to_picture()

        options = with_statistics(options)
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
            raise left_alone(path, photo.color)
        return self._reduce(photo, options, hints)

    def predict(
        self, batch: list[ReducedPhoto], options: ColorizeOptions = _DEFAULTS
    ) -> list[np.ndarray]:
        """Predict the ab, float32 (2, h, w), of each of several photos of one ``group``.

        It is half as large as what the network looks at, and as it says, without adjustments.

        Raises:
            ModelError: they are too large for the memory, or the network gave no numbers.
        """
        ab = predict_colors(self.network, *network_inputs(batch), tta=options.tta)
        halves = halved(ab)
        sides = [prepared.network_input.shape for prepared in batch]
        return [
            halves[i, :, : (height + 1) // 2, : (width + 1) // 2]
            for i, (height, width) in enumerate(sides)
        ]

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

    def predict_doubt(self, prepared: ReducedPhoto) -> np.ndarray:
        """Return the doubt about one photo that was read; see ``doubt``."""
        if not self.info.gives_doubt:
            raise UsageError(
                "doubt: this model gives none; use another --model, or teach it by "
                "`pix2color train-doubt`"
            )
        picture = Image.fromarray(expected_error(self.network, prepared))
        height, width = prepared.photo.gray.shape
        return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))

    def finish(
        self, prepared: ReducedPhoto, ab: np.ndarray, options: ColorizeOptions = _DEFAULTS
    ) -> ColoredPhoto:
        """Adjust the ab that was predicted for a photo, and join it to the photo at full size."""
        height, width = prepared.network_input.shape
        even = np.pad(prepared.network_input, ((0, height % 2), (0, width % 2)), mode="edge")
        ab = adjust(ab, options)
        maps = chroma_maps(halved(even).astype(np.uint8), ab)
        return ColoredPhoto(prepared.photo, recompose(prepared.photo.gray, maps), ab)

    def use_one_thread(self) -> None:
        """Prepare a thread that colours photos beside others, each by itself."""
        getattr(self.network, "use_one_thread", lambda: None)()

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
            finish: makes the result of the item, its ``ReducedPhoto`` and its ab.
            options: for ``predict``.
            workers: threads; by default one for each core.
        """
        return Pipeline(
            load,
            lambda batch: self.predict(batch, options),
            finish,
            workers=workers or cores(),
            batch=BATCH,
            max_weight=_MAX_PIXELS_HELD,
            initializer=self.use_one_thread,
        )

    def _reduce(
        self, photo: GrayPhoto, options: ColorizeOptions, hints: Sequence[Hint] = ()
    ) -> ReducedPhoto:
        if hints and not self.info.takes_hints:
            raise UsageError("hints: this model takes none; leave them out, or use another --model")
        return reduce_photo(photo, self.render_size(options), hints)

    def _color(self, prepared: ReducedPhoto, options: ColorizeOptions) -> ColoredPhoto:
        return self.finish(prepared, self.predict([prepared], options)[0], options)


def left_alone(path: Path, color: float) -> HasColorError:
    """Return the error that a photo has colour already, and how much."""
    doubtful = is_doubtful(color)
    perhaps = "perhaps " if doubtful else ""
    reason = f"{path}: {perhaps}has colour already and was left alone; --force colours it"
    return HasColorError(reason, color, doubtful)
