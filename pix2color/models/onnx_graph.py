"""Generators written as ONNX files, for ``onnx_file`` and any other onnxruntime."""

from __future__ import annotations

import hashlib
import json
import logging
import struct
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pix2color.extras import require
from pix2color.files import hash_file, write_bytes
from pix2color.models.base import Generator
from pix2color.models.header import KEY, ModelInfo
from pix2color.models.onnx_file import DIGEST, NO_DIGEST, WEIGHTS
from pix2color.models.padding import padded

_STRIDE = 32
_LARGEST = 8192
_OPSET = 18
_HALF = ".half"


class _AnySize(nn.Module):
    """A generator on its input padded to multiples of 32, which a fixed graph needs."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator: Any = generator

    def forward(self, L: Tensor, hints: Tensor | None = None) -> tuple[Tensor, ...]:
        height, width = L.shape[2:]
        inputs = (padded(x, _STRIDE) for x in (L, hints) if x is not None)
        if self.generator.gives_doubt:
            found = self.generator.predict_with_doubt(*inputs)
        else:
            found = (self.generator(*inputs),)
        return tuple(x[:, :, :height, :width] for x in found)


def save_onnx(
    path: Path, generator: Generator, info: ModelInfo, weights: Path | None = None
) -> None:
    """Write a generator for any number of pictures of any size; never leaves half a file.

    With ``weights``, its safetensors file in half precision, the large tensors stay there, and that
    file has to lie beside ``path`` wherever it goes.

    Input ``L`` (N, 1, H, W) in [-1, 1], output ``ab`` (N, 2, H, W) in units of 110, float32. The
    graph of a network that takes hints has a second input ``hints`` (N, 3, H, W): ab where it is
    given, elsewhere 0, and a mask of 0 or 1. That of one that gives its doubt has a second output
    ``doubt`` (N, 1, H, W). Weights are kept in half precision, and computed with in float32.

    Raises:
        MissingExtraError: onnx is not installed.
        StorageError: the file cannot be written.
    """
    onnx = require("onnx", "export")
    optimizer = require("onnxscript.optimizer", "export")
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
            output_names=["ab", "doubt"] if generator.gives_doubt else ["ab"],
            opset_version=_OPSET,
            optimize=False,
            verbose=False,
        )
    assert program is not None
    # Nothing else, such as BatchNorm folded into weights: they stay the model's to the bit.
    optimizer.fold_constants(program.model)
    optimizer.remove_unused_nodes(program.model)
    model = program.model_proto
    _forget_origins(model.graph)
    _halve_weights(onnx, model.graph)
    entries = {DIGEST: NO_DIGEST}
    if weights is not None:
        _leave_weights(model.graph, weights)
        entries[WEIGHTS] = json.dumps({"file": weights.name, "sha256": hash_file(weights)})
    header = replace(info, takes_hints=generator.takes_hints, gives_doubt=generator.gives_doubt)
    onnx.helper.set_model_props(model, {KEY: json.dumps(asdict(header)), **entries})
    if weights is None:  # elsewhere it would look for them
        onnx.checker.check_model(model)
    data = model.SerializeToString()
    digest = hashlib.sha256(data).hexdigest()
    write_bytes(path, data.replace(NO_DIGEST.encode(), digest.encode()))


def _forget_origins(graph: Any) -> None:
    """Leave out what the exporter tells of each node's origin, half a megabyte."""
    for part in (graph, *graph.node):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    graph.ClearField("value_info")


def _halve_weights(onnx: Any, graph: Any) -> None:
    """Keep the weights of a graph in half precision: half the file, the same speed."""
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) < 2:
            continue  # the many small ones would only make loading slower
        name, half = tensor.name, tensor.name + _HALF
        values = onnx.numpy_helper.to_array(tensor).astype("float16")
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, half))
        casts.append(onnx.helper.make_node("Cast", [half], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _leave_weights(graph: Any, weights: Path) -> None:
    """Let the large tensors of a graph refer to where a safetensors file has the same bytes."""
    with weights.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        places = json.loads(file.read(length))
        start = file.tell()
        for tensor in graph.initializer:
            place = places.get(tensor.name.removeprefix("generator.").removesuffix(_HALF))
            if place is None or not tensor.name.endswith(_HALF):
                continue
            first, last = place["data_offsets"]
            file.seek(start + first)
            if file.read(last - first) != tensor.raw_data:
                continue
            tensor.ClearField("raw_data")
            tensor.data_location = tensor.EXTERNAL
            where = {"location": weights.name, "offset": start + first, "length": last - first}
            for key, value in where.items():
                entry = tensor.external_data.add()
                entry.key, entry.value = key, str(value)
