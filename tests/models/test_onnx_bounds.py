"""A graph from anywhere is given little memory and time before it is given a photo."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict

import numpy as np
import onnx
import psutil
import pytest
from onnx import TensorProto, helper, numpy_helper

from pix2color.errors import ModelError
from pix2color.models.header import KEY, ModelInfo
from pix2color.models.onnx_file import DIGEST, NO_DIGEST, OnnxNetwork


def write(path, nodes, values):
    """A file with our header and digest, whose ab is L twice, plus what ``nodes`` call ``more``."""
    nodes = [
        *nodes,
        helper.make_node("Concat", ["L", "L"], ["both"], axis=1),
        helper.make_node("Add", ["both", "more"], ["ab"]),
    ]
    given = helper.make_tensor_value_info("L", TensorProto.FLOAT, ["n", 1, "h", "w"])
    result = helper.make_tensor_value_info("ab", TensorProto.FLOAT, ["n", 2, "h", "w"])
    constants = [numpy_helper.from_array(np.array(v), name) for name, v in values.items()]
    graph = helper.make_graph(nodes, "graph", [given], [result], constants)
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    header = json.dumps(asdict(ModelInfo("test")))
    onnx.helper.set_model_props(model, {KEY: header, DIGEST: NO_DIGEST})
    data = model.SerializeToString()
    digest = hashlib.sha256(data).hexdigest()
    path.write_bytes(data.replace(NO_DIGEST.encode(), digest.encode()))
    return path


def test_a_harmless_one_runs(tmp_path):
    path = write(tmp_path / "m.onnx", [], {"more": np.float32(0.25)})
    ab = OnnxNetwork(path)(np.full((1, 1, 8, 9), 0.5, np.float32))
    np.testing.assert_array_equal(ab, np.full((1, 2, 8, 9), 0.75, np.float32))


@pytest.mark.parametrize("operator", ["Expand", "Pad"])
def test_small_files_do_not_take_gigabytes(operator, tmp_path):
    sizes = {"Expand": [3_000_000_000], "Pad": [0, 3_000_000_000]}
    nodes = [
        helper.make_node("ReduceMin", ["L"], ["least"], keepdims=0),
        helper.make_node("Mul", ["least", "zero"], ["start"]),
        helper.make_node(operator, ["start", "size"], ["many"]),
        helper.make_node("ReduceSum", ["many"], ["more"], keepdims=0),
    ]
    values = {"zero": np.zeros(1, np.float32), "size": np.array(sizes[operator], np.int64)}
    path = write(tmp_path / "m.onnx", nodes, values)
    before = psutil.Process().memory_info().rss
    with pytest.raises(ModelError, match=r"m\.onnx"):
        OnnxNetwork(path)
    assert psutil.Process().memory_info().rss - before < 1e9


@pytest.mark.slow
def test_none_runs_for_ever(tmp_path):
    scalars = {
        name: helper.make_tensor_value_info(name, kind, [])
        for name, kind in {
            "turn": TensorProto.INT64,
            "on": TensorProto.BOOL,
            "on_next": TensorProto.BOOL,
            "sum": TensorProto.FLOAT,
            "sum_next": TensorProto.FLOAT,
        }.items()
    }
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["on_next"]),
            helper.make_node("Add", ["sum", "sum"], ["sum_next"]),
        ],
        "body",
        [scalars["turn"], scalars["on"], scalars["sum"]],
        [scalars["on_next"], scalars["sum_next"]],
    )
    loop = helper.make_node("Loop", ["turns", "yes", "zero"], ["more"], body=body)
    values = {"turns": np.int64(2**62), "yes": np.True_, "zero": np.float32(0)}
    path = write(tmp_path / "m.onnx", [loop], values)
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"m\.onnx"):
        OnnxNetwork(path)
    assert time.monotonic() - began < 60
