"""The header of a model file: all that colouring needs to know of the network in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pix2color import __version__

KEY = "pix2color"
"""Of the header, in the metadata of a file."""
ONNX = ".onnx"
"""Ending of the files that onnxruntime runs; all others are run by torch."""
GRAPH_IN_FOLDER = "model.onnx"
"""Name of such a file in a folder that holds a model to share."""


@dataclass
class ModelInfo:
    """The header of a model file.

    Attributes:
        architecture: key of ``GENERATORS``.
        options: keywords of its builder.
        recipe: of the run that made it.
        data: what it was trained on.
        render_size: short side, in pixels, at which it predicts best.
        takes_hints: whether its network can be given hints.
        gives_doubt: whether its network predicts its own error, too.
        step: of that run.
        scores: on that run's validation photos.
        version: of pix2color.
        sha256: of the tensors, in the order of their names; a graph has that of the model that it
            was made from.
        card: what people should know of it: intended use, faults, licence (text).
    """

    architecture: str
    options: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    render_size: int = 256
    takes_hints: bool = False
    gives_doubt: bool = False
    step: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    version: str = __version__
    sha256: str = ""
    card: str = ""
