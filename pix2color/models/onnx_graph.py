"""Generators as ONNX files: written by ``pix2color export``, run by onnxruntime."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pix2color.errors import MissingExtraError, MissingPathError, ModelError
from pix2color.files import replacing
from pix2color.models.base import Generator
from pix2color.models.model_file import KEY, ModelInfo
from pix2color.models.padding import padded

_STRIDE = 32
_LARGEST = 8192
_OPSET = 18


class _AnySize(nn.Module):
    """A generator on its input padded to multiples of 32, which a fixed graph needs."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, L: Tensor, hints: Tensor | None = None) -> Tensor:
        height, width = L.shape[2:]
        inputs = (padded(x, _STRIDE) for x in (L, hints) if x is not None)
        return self.generator(*inputs)[:, :, :height, :width]


def save_onnx(path: Path, generator: Generator, info: ModelInfo) -> None:
    """Write a generator for any number of pictures of any size; never leaves half a file.

    Input ``L`` (N, 1, H, W) in [-1, 1], output ``ab`` (N, 2, H, W) in units of 110, float32. The
    graph of a network that takes hints has a second input ``hints`` (N, 3, H, W): ab where it is
    given, elsewhere 0, and a mask of 0 or 1.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    onnx = _import("onnx")
    _import("onnxscript")
    dimensions = {axis: torch.export.Dim.DYNAMIC(min=1, max=_LARGEST) for axis in (0, 2, 3)}
    channels = {"L": 1, "hints": 3} if generator.takes_hints else {"L": 1}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own making
        program = torch.onnx.export(
            _AnySize(generator.cpu().float()).eval(),
            tuple(torch.zeros(2, depth, 70, 90) for depth in channels.values()),
            dynamo=True,
            dynamic_shapes=(dimensions,) * len(channels),
            input_names=list(channels),
            output_names=["ab"],
            opset_version=_OPSET,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    header = replace(
        info, takes_hints=generator.takes_hints, gives_doubt=False, sha256=_digest(model)
    )
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, json.dumps(asdict(header))
    onnx.checker.check_model(model)
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def read_onnx(path: Path) -> tuple[bytes, ModelInfo]:
    """Read an ONNX file of ours: its checked bytes, and its header.

    Raises:
        MissingPathError: nothing is there.
        ModelError: it is not a file of ours, or damaged.
        MissingExtraError: onnx is not installed.
    """
    onnx = _import("onnx")
    if not path.is_file():
        raise MissingPathError(f"{path}: no such file; `pix2color export` writes one")
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # of protobuf, whose classes depend on its version
        raise ModelError(f"{path}: is not an ONNX file, or damaged; export it again") from error
    header = {entry.key: entry.value for entry in model.metadata_props}.get(KEY)
    if header is None:
        raise ModelError(f"{path}: an ONNX file without pix2color's header; export it again")
    try:
        info = ModelInfo(**json.loads(header))
    except (TypeError, ValueError) as error:
        raise ModelError(f"{path}: another version wrote it; export it again") from error
    if info.sha256 != _digest(model):
        raise ModelError(f"{path}: damaged, its tensors changed since they were written")
    return model.SerializeToString(), info


def load_onnx(path: Path) -> tuple[Callable[..., Tensor], ModelInfo]:
    """Load an ONNX file: its network as a function on L and hints, on the CPU, and its header.

    Raises:
        MissingPathError, ModelError, MissingExtraError: see ``read_onnx``.
    """
    runtime = _import("onnxruntime")
    data, info = read_onnx(path)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1  # the photos are what is worked on in parallel
    try:
        session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's classes differ by what is wrong
        raise ModelError(f"{path}: onnxruntime cannot run it; export it again") from error

    def network(L: Tensor, *hints: Tensor) -> Tensor:
        given = {"L": L.numpy()}
        if info.takes_hints:
            none = np.zeros((len(L), 3, *L.shape[2:]), np.float32)
            given["hints"] = hints[0].numpy() if hints else none
        return torch.from_numpy(session.run(None, given)[0])

    return network, info


def _digest(model: Any) -> str:
    digest = hashlib.sha256()
    for tensor in sorted(model.graph.initializer, key=lambda tensor: tensor.name):
        digest.update(f"{tensor.name} {tensor.data_type} {list(tensor.dims)}".encode())
        digest.update(tensor.raw_data)
    return digest.hexdigest()


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"{name} is not installed; install it with: pip install 'pix2color[onnx]'"
        ) from error
