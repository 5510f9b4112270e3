"""Export and description of model files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from pix2color.errors import MissingPathError, UsageError
from pix2color.models.base import Generator
from pix2color.models.model_file import ModelInfo, load_model, locate_model, save_model

_ONNX = ".onnx"
_SAFETENSORS = ".safetensors"
_PLACES = ("train", "val", "runs_dir", "init", "teacher", "encoder_weights", "feature_weights")


def export_onnx(model: Path, out: Path) -> None:
    """Write a model as ONNX, for any number of pictures of any height and width.

    Raises:
        UsageError: ``out`` is no name for it.
        MissingPathError, ModelError: the model cannot be used.
        MissingExtraError: onnx is not installed.
    """
    from pix2color.models.onnx_graph import save_onnx

    _check_name(out, _ONNX)
    save_onnx(out, *_to_pass_on(model))


def export_safetensors(model: Path, out: Path, card: Path | None = None) -> None:
    """Write a model file in half precision, which loads and colours like any other.

    ``card`` is a text file for its header; without one the model keeps its own.

    Raises:
        UsageError: ``out`` is no name for it.
        MissingPathError, ModelError: the model or the card cannot be used.
    """
    _check_name(out, _SAFETENSORS)
    generator, info = _to_pass_on(model)
    if card is not None:
        try:
            info.card = card.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise MissingPathError(f"{card}: cannot be read as text ({error})") from error
    save_model(out, generator.half(), info)


def _to_pass_on(model: Path) -> tuple[Generator, ModelInfo]:
    """Load a model, and keep of its recipe's files and folders the names, not the places."""
    generator, info = load_model(model)
    info.recipe = _names_for_places(info.recipe)
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


def describe(path: Path) -> dict[str, Any]:
    """Return what a model file says of itself, once it was found whole.

    Raises:
        MissingPathError, ModelError: it cannot be used.
    """
    if path.suffix.lower() == _ONNX:
        from pix2color.models.onnx_graph import read_onnx

        data, info = read_onnx(path)
        return _about(path, info) | {"format": "onnx", "bytes": len(data)}
    generator, info = load_model(path)
    file = locate_model(path)
    return _about(file, info) | {
        "format": "safetensors",
        "bytes": file.stat().st_size,
        "parameters": sum(p.numel() for p in generator.parameters()),
    }


def _about(path: Path, info: ModelInfo) -> dict[str, Any]:
    return {"file": str(path), **asdict(info)}


def as_text(about: dict[str, Any]) -> str:
    """Return a description for people to read; the recipe is left to JSON."""
    lines = {
        "file": f"{about['file']} ({about['bytes'] / 1e6:.1f} MB, {about['format']})",
        "architecture": about["architecture"],
        "parameters": f"{about['parameters'] / 1e6:.1f} million" if "parameters" in about else "",
        "render size": f"{about['render_size']} pixels, short side",
        "trained by": f"{about['recipe'].get('task', '')}, {about['step']} steps",
        "trained on": ", ".join(f"{k} {v}" for k, v in about["data"].items()),
        "validation": ", ".join(f"{k} {v:.3g}" for k, v in about["scores"].items()),
        "version": f"pix2color {about['version']}",
        "sha256": about["sha256"],
    }
    table = "\n".join(f"{name + ':':14}{text}" for name, text in lines.items() if text)
    return f"{table}\n\n{about['card']}".rstrip()
