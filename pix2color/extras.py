"""Optional packages, and which extra of pix2color installs them."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from pix2color.errors import MissingExtraError

_EXTRA_OF = {
    "torch": "train",
    "pydantic": "train",
    "onnx": "onnx",
    "onnxscript.optimizer": "onnx",
    "starlette": "web",
    "uvicorn": "web",
    "python_multipart": "web",
    "optuna": "sweep",
    "filelock": "train",
    "torchmetrics.image": "perceptual",
    "webdataset": "shards",
    "huggingface_hub": "hub",
    "pillow_heif": "formats",
    "rawpy": "formats",
    "tifffile": "formats",
    "imagecodecs": "formats",
    "av": "video",
    "cv2": "video",
}


def require(module: str, what: str = "") -> ModuleType:
    """Return an optional module.

    Args:
        module: that an extra installs.
        what: names what needs it, for the error; by default the module.

    Raises:
        MissingExtraError: it is not installed, or something that it needs is missing.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise missing(module, what) from error


def missing(module: str, what: str = "") -> MissingExtraError:
    """Return the error that an optional module is not there; see ``require``."""
    name = module.split(".")[0]
    return MissingExtraError(
        f"{what or name}: needs {name}; run: pip install 'pix2color[{_EXTRA_OF[module]}]'"
    )
