"""Export of models: as files, and as folders to share."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pix2color.errors import MissingPathError, UsageError
from pix2color.files import replacing, write_bytes
from pix2color.models.base import Generator
from pix2color.models.header import GRAPH_IN_FOLDER, NAME_IN_RUN, ONNX, ModelInfo
from pix2color.models.model_file import load_model, save_model
from pix2color.models.onnx_graph import save_onnx

_SAFETENSORS = ".safetensors"
_PLACES = ("train", "val", "runs_dir", "init", "teacher", "encoder_weights", "feature_weights")


def export_onnx(model: Path, out: Path, card: Path | None = None) -> None:
    """Write a model as ONNX, for any number of pictures of any height and width.

    ``card`` is a text file for its header; without one the model keeps its own.

    Raises:
        UsageError: ``out`` is no name for it.
        MissingPathError, ModelError: the model or the card cannot be used.
        MissingExtraError: onnx is not installed.
    """
    _check_name(out, ONNX)
    save_onnx(out, *_to_pass_on(model, card))


def export_safetensors(model: Path, out: Path, card: Path | None = None) -> None:
    """Write a model file in half precision, which loads and colours like any other.

    Arguments and errors are those of ``export_onnx``.
    """
    _check_name(out, _SAFETENSORS)
    generator, info = _to_pass_on(model, card)
    save_model(out, generator.half(), info)


def export_folder(model: Path, out: Path, card: Path | None = None) -> None:
    """Write a folder for ``Colorizer.from_pretrained``, which can be put on a hub as it is.

    It has the model for colouring (ONNX) and for training on (safetensors), its header as
    ``config.json``, and its card as ``README.md``. Arguments and errors are those of
    ``export_onnx``.
    """
    if out.exists():
        raise UsageError(f"{out}: exists; name a new folder")
    generator, info = _to_pass_on(model, card)
    with replacing(out) as folder:
        try:
            write_bytes(folder / "config.json", json.dumps(asdict(info), indent=2).encode())
            write_bytes(folder / "README.md", info.card.encode())
            save_onnx(folder / GRAPH_IN_FOLDER, generator, info)
            save_model(folder / NAME_IN_RUN, generator.half(), info)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _to_pass_on(model: Path, card: Path | None) -> tuple[Generator, ModelInfo]:
    """Load a model, and keep of its recipe's files and folders the names, not the places."""
    generator, info = load_model(model)
    info.recipe = _names_for_places(info.recipe)
    if card is not None:
        try:
            info.card = card.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise MissingPathError(f"{card}: cannot be read as text ({error})") from error
    return generator, info


def _names_for_places(settings: dict[str, Any]) -> dict[str, Any]:
    def name(key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return _names_for_places(value)
        if key in _PLACES and isinstance(value, list):
            return [Path(place).name for place in value]
        return Path(value).name if key in _PLACES and value is not None else value

    return {key: name(key, value) for key, value in settings.items()}


def _check_name(out: Path, suffix: str) -> None:
    if out.suffix.lower() != suffix or out.is_dir():
        raise UsageError(f"{out}: let the name end in {suffix}")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"{out.parent}: no such folder")
