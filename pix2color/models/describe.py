"""What model files say of themselves."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from pix2color.extras import require
from pix2color.models.header import ONNX, ModelInfo, locate_coloring_model
from pix2color.models.onnx_file import OnnxNetwork
from pix2color.progress import printable


def describe(path: Path) -> dict[str, Any]:
    """Return what a model file says of itself, once it was found whole.

    Raises:
        MissingPathError, ModelError: it cannot be used.
        MissingExtraError: it takes torch to read it, which is not installed.
    """
    path = locate_coloring_model(path)
    if path.suffix.lower() == ONNX:
        network = OnnxNetwork(path, "cpu")
        return _about(path, network.info) | {"format": "onnx"}
    require("torch", str(path))
    from pix2color.models.model_file import load_model

    generator, info = load_model(path)
    parameters = sum(p.numel() for p in generator.parameters())
    return _about(path, info) | {"format": "safetensors", "parameters": parameters}


def _about(file: Path, info: ModelInfo) -> dict[str, Any]:
    return {"file": str(file), "bytes": file.stat().st_size, **asdict(info)}


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
    return printable(f"{table}\n\n{about['card']}").rstrip()
