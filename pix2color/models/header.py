"""The header of a model file: all that colouring needs to know of the network in it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from pix2color import __version__
from pix2color.errors import MissingPathError, ModelError

KEY = "pix2color"
"""Of the header, in the metadata of a file."""
ONNX = ".onnx"
"""Ending of the files that onnxruntime runs; all others are run by torch."""
GRAPH_IN_FOLDER = "model.onnx"
"""Name of such a file in a folder that holds a model to share."""
NAME_IN_RUN = "model.safetensors"
"""Name of the model file in a run folder."""
_RENDER_SIZES = range(32, 16_385)


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


def locate_model(run_or_file: Path) -> Path:
    """Return the path of a model file, given it or its run folder.

    Raises:
        MissingPathError: nothing is there.
    """
    path = run_or_file / NAME_IN_RUN if run_or_file.is_dir() else run_or_file
    if not path.is_file():
        hint = (
            f"the run has no {NAME_IN_RUN} yet (written with the first checkpoint)"
            if run_or_file.is_dir()
            else "no such model file or run folder"
        )
        raise MissingPathError(f"{run_or_file}: {hint}")
    return path


def locate_coloring_model(path: Path) -> Path:
    """Return the path of the file that colours photos: a folder to share has two.

    Raises:
        MissingPathError: nothing is there.
    """
    graph = path / GRAPH_IN_FOLDER
    return graph if graph.is_file() else locate_model(path)


def parse_header(path: Path, text: str) -> ModelInfo:
    """Return the header of a model file, given as JSON, once every field is of its type and range.

    Args:
        path: of the file; begins the message of errors.
        text: the header.

    Raises:
        ModelError: something else stands in it.
    """
    try:
        info = ModelInfo(**json.loads(text))
        wrong = _first_wrong_field(info)
    except (TypeError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{path}: its header is damaged, or another version wrote it; export it again"
        ) from error
    if wrong:
        raise ModelError(f"{path}: {wrong} in its header is of no use; export it again")
    return info


def _first_wrong_field(info: ModelInfo) -> str | None:
    types = get_type_hints(ModelInfo)
    for name in (given.name for given in fields(info)):
        kind = getattr(types[name], "__origin__", types[name])
        if type(getattr(info, name)) is not kind:  # true is no number here
            return name
    if not all(type(score) in (int, float) for score in info.scores.values()):
        return "scores"
    if info.render_size not in _RENDER_SIZES:
        return "render_size"
    return "step" if info.step < 0 else None
