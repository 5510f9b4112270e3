"""Lets torchvision import beside a torch that it was not built for.

torchvision's wheels come with operators compiled for one build of torch. Beside another one,
such as torchvision from PyPI (built for CUDA) next to a CPU torch, they do not load and
``import torchvision`` dies with ``operator torchvision::nms does not exist``. Nothing here
uses those operators (they find boxes); declaring their signatures is enough for the import.

Import this module before torchvision, or before a library that imports it (fastai).
"""

from __future__ import annotations

import sys

import torch

_SCHEMAS = ("nms", "qnms")
_library: torch.library.Library | None = None  # a library's declarations live as long as it


def _import_torchvision() -> None:
    global _library
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        _library = torch.library.Library("torchvision", "FRAGMENT")
        for name in _SCHEMAS:
            _library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        for name in [n for n in sys.modules if n.partition(".")[0] == "torchvision"]:
            del sys.modules[name]  # left behind, half imported
        import torchvision  # noqa: F401


_import_torchvision()
