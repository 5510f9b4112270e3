"""Networks that predict colour, run by onnxruntime or torch behind one protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pix2color.color.lab import lightness, rgb_to_l_ab
from pix2color.errors import ModelError
from pix2color.extras import require
from pix2color.inference.hint_correction import correct_by_hints
from pix2color.inference.network_input import ReducedPhoto, restore_contrast, stack, stack_hints
from pix2color.models.header import ONNX, ModelInfo, locate_coloring_model


class Network(Protocol):
    """A function from L (N, 1, H, W) to ab (N, 2, H, W), both float32.

    One that takes hints can be given them besides, (N, 3, H, W); see ``models.base.Generator``.
    One that gives its doubt has another function ``with_doubt``; see ``OnnxNetwork``.
    """

    def __call__(self, L: np.ndarray, /, *hints: np.ndarray) -> np.ndarray: ...


def load_network(path: Path, device: str) -> tuple[Network, ModelInfo]:
    """Load a network that is ready to run, and the header of its model file.

    Args:
        path: of an ONNX file or an exported folder with one, which onnxruntime runs; or of a run
            folder or a ``.safetensors`` file, which torch runs.
        device: ``auto``, ``cpu`` or another that the one that runs it knows.

    Raises:
        MissingPathError: nothing is there.
        ModelError: it is no model of ours, or damaged.
        UsageError: the device is not there.
        MissingExtraError: torch is needed and not installed.
    """
    path = locate_coloring_model(path)
    if path.suffix.lower() == ONNX:
        from pix2color.models.onnx_file import OnnxNetwork

        network = OnnxNetwork(path, device)
        return network, network.info
    require("torch", str(path))
    from pix2color.models.model_file import load_model
    from pix2color.models.torch_network import TorchNetwork, choose_device

    device = choose_device(device)
    generator, info = load_model(path)
    return TorchNetwork(generator, device), info


def network_inputs(batch: list[ReducedPhoto]) -> list[np.ndarray]:
    """Return L (N, 1, H, W) and, if there are any, hints (N, 3, H, W) of one ``group``'s photos."""
    contrasty = np.stack([restore_contrast(picture) for picture in stack(batch)])
    L = lightness(contrasty)[:, None]
    painted = stack_hints(batch)
    if painted is None:
        return [L]
    _, ab = rgb_to_l_ab(painted[:, :3])
    mask = (painted[:, 3:] > 0).astype(np.float32)
    return [L, np.concatenate([ab * mask, mask], axis=1)]


def predict_colors(network: Network, *inputs: np.ndarray, tta: bool = False) -> np.ndarray:
    """Return the ab (N, 2, H, W) that a network predicts, brought closer to the hints.

    Args:
        network: predicts it.
        inputs: L, and hints if there are any.
        tta: average over the pictures and their mirror images.

    Raises:
        ModelError: they are too large for the memory, or the network gave no numbers.
    """
    with _enough_memory():
        ab = network(*inputs)
        if tta:
            mirrored = network(*(np.ascontiguousarray(x[..., ::-1]) for x in inputs))
            ab = (ab + mirrored[..., ::-1]) / 2
        return _closer_to_hints(ab, inputs)


def predict_with_doubt(network: Any, *inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what ``predict_colors`` does, and the network's doubt, (N, 1, H, W).

    Raises:
        ModelError: see there.
    """
    with _enough_memory():
        ab, doubt = network.with_doubt(*inputs)
        return _closer_to_hints(ab, inputs), doubt


@contextmanager
def _enough_memory() -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise ModelError("out of memory; a smaller --render-size needs less") from error


def _closer_to_hints(ab: np.ndarray, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
    if len(inputs) > 1:
        ab = correct_by_hints(ab, *inputs)
    if not np.isfinite(ab.sum()):
        raise ModelError("the model gave no colours (NaN); it is damaged, or badly trained")
    return ab
