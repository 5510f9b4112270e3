"""What this machine and this installation can do, and how to start a training on them.

Nothing is imported before it is looked at: the doctor must also come when torch is broken.
"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
import warnings
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pix2color import __version__
from pix2color.processes import container_limit, cores

NEEDED = {  # distribution: module
    "torch": "torch",
    "torchvision": "torchvision",
    "accelerate": "accelerate",
    "safetensors": "safetensors",
    "numpy": "numpy",
    "pillow": "PIL",
    "simplejpeg": "simplejpeg",
    "psutil": "psutil",
    "pydantic": "pydantic",
    "pyyaml": "yaml",
    "click": "click",
    "rich": "rich",
    "tensorboard": "tensorboard",
    "fastai": "fastai",
    "scikit-image": "skimage",
    "jinja2": "jinja2",
}
EXTRAS = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "perceptual": ("torchmetrics", "torch-fidelity"),
    "shards": ("webdataset",),
    "sweep": ("filelock", "optuna"),
    "web": ("gradio",),
}
_CODECS = {"JPEG": "jpg", "PNG": "zlib", "WebP": "webp", "AVIF": "avif", "TIFF": "libtiff"}
_ALWAYS = ("JPEG", "PNG")
_GB = 1e9
_RUN_BYTES = 2 * _GB  # a run with its checkpoints, the default network in both stages


@dataclass
class Examination:
    """What was found.

    Attributes:
        versions: of pix2color, Python and what it needs; None: not installed.
        extras: name of an extra → versions of its packages.
        torchvision_ops: whether torchvision's compiled operators load; None: it does not import.
        cpu: ``model``, ``cores`` that this process may use, and whether ``bf16`` is computed.
        accelerators: ``name``, ``kind``, ``bytes`` of memory, and ``bf16`` of each.
        memory: ``total`` and ``available`` bytes, as far as a container lets it.
        codecs: picture format → version, or whether it is there at all.
        disk: ``folder`` of the runs, its ``free`` bytes, and whether it is ``writable``.
        advice: ``command`` that trains on this machine.
        problems: what must be mended, with the cure.
        notes: what may be mended.
    """

    versions: dict[str, str | None]
    extras: dict[str, dict[str, str | None]]
    codecs: dict[str, str | bool]
    disk: dict[str, Any]
    torchvision_ops: bool | None = None
    cpu: dict[str, Any] = field(default_factory=dict)
    accelerators: list[dict[str, Any]] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)
    advice: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def examine(runs: Path) -> Examination:
    """Look at everything; ``runs`` is the folder that runs would be kept in, there or not."""
    needed = {name: _version(name) for name in NEEDED}
    found = Examination(
        versions={"pix2color": __version__, "python": platform.python_version(), **needed},
        extras={extra: {n: _version(n) for n in names} for extra, names in EXTRAS.items()},
        codecs={},
        disk=_disk(runs),
    )
    broken = [name for name in NEEDED if not _imports(name, found)]
    found.cpu = {"model": _cpu_model(), "cores": cores(), "bf16": None}
    if "psutil" not in broken:
        found.memory = _memory()
    if "pillow" not in broken:
        found.codecs = _codecs(found)
    if "torch" not in broken:
        _look_at_devices(found)
    if not found.disk["writable"]:
        found.problems.append(f"{runs}: cannot be written; choose another --runs-dir")
    elif found.disk["free"] < _RUN_BYTES:
        found.problems.append(f"{runs}: less than {_RUN_BYTES / _GB:.0f} GB free; a run needs them")
    found.advice = _advice(found)
    return found


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _imports(name: str, found: Examination) -> bool:
    """Whether a package can be imported; if not, that is a problem."""
    try:
        if name == "torchvision":
            found.torchvision_ops = _torchvision_ops()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(NEEDED[name])
    except Exception as error:  # a broken installation raises whatever it likes
        if getattr(error, "name", None) in set(NEEDED.values()) - {NEEDED[name]}:
            return False  # named for itself
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        how = "install --force-reinstall" if found.versions[name] else "install"
        found.problems.append(f"{name}: {reason}; run: pip {how} {name}")
        return False
    return True


def _torchvision_ops() -> bool:
    """Nothing here uses them; without them torchvision was built for another torch."""
    import pix2color.models.torchvision_ops  # noqa: F401

    # isort: split
    from torchvision.extension import _has_ops

    return bool(_has_ops())


def _codecs(found: Examination) -> dict[str, str | bool]:
    from PIL import features

    codecs: dict[str, str | bool] = {
        name: (features.version(key) or True) if features.check(key) else False
        for name, key in _CODECS.items()
    }
    for name in (name for name, there in codecs.items() if not there):
        told = found.problems if name in _ALWAYS else found.notes
        told.append(f"pillow: was built without {name}; run: pip install --force-reinstall pillow")
    codecs["libjpeg-turbo"] = features.version_feature("libjpeg_turbo") or False
    return codecs


def _look_at_devices(found: Examination) -> None:
    import torch

    from pix2color.models.precision import computes_in_bf16

    found.cpu["bf16"] = computes_in_bf16("cpu")
    device = torch.accelerator.current_accelerator(check_available=True)
    if device is None:
        if shutil.which("nvidia-smi"):
            found.notes.append(
                "an NVIDIA driver is here, but torch has no use of it; "
                "install a CUDA build of torch: https://pytorch.org/get-started"
            )
        return
    module = torch.get_device_module(device)
    for index in range(torch.accelerator.device_count()):
        about = getattr(module, "get_device_properties", lambda index: None)(index)
        found.accelerators.append(
            {
                "name": getattr(about, "name", device.type),
                "kind": device.type,
                "bytes": getattr(about, "total_memory", None),
                "bf16": computes_in_bf16(device.type),
            }
        )


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()


def _memory() -> dict[str, int]:
    import psutil

    memory = psutil.virtual_memory()
    total, available = memory.total, memory.available
    limit, used = container_limit("memory.max"), container_limit("memory.current")
    if limit.isdigit() and used.isdigit():
        total, available = min(total, int(limit)), min(available, int(limit) - int(used))
    return {"total": total, "available": available}


def _disk(runs: Path) -> dict[str, Any]:
    place = runs.absolute()
    while not place.exists():
        place = place.parent
    writable = place.is_dir() and os.access(place, os.W_OK)
    return {"folder": str(runs), "free": shutil.disk_usage(place).free, "writable": writable}


def _advice(found: Examination) -> dict[str, Any]:
    """The command for this machine: a process for each accelerator, or one on the CPU."""
    processes = max(1, len(found.accelerators))
    batch = min((_batch(a["bytes"]) for a in found.accelerators), default=16)
    workers = min(8 if found.accelerators else 2, max(1, found.cpu["cores"] // processes))
    entry = "pix2color"
    if processes > 1:
        entry = f"torchrun --nproc-per-node {processes} -m pix2color"
    command = f"{entry} pretrain --data photos/ --workers {workers} --batch-size {batch}"
    return {"command": command, "processes": processes, "workers": workers, "batch_size": batch}


def _batch(memory: int | None) -> int:
    """Pictures of 128 pixels a step: as many as fit well, and no more than learning profits by."""
    return 64 if (memory or 0) >= 8 * _GB else 16


def as_text(found: Examination) -> str:
    """The same for people to read."""
    versions = found.versions
    needed = (f"{name} {versions[name] or 'missing'}" for name in NEEDED if name != "torch")
    ops = {True: "load", False: "do not load (unused here)", None: "–"}[found.torchvision_ops]
    cpu, memory, disk = found.cpu, found.memory, found.disk
    lines = [
        ("pix2color", f"{versions['pix2color']}, Python {versions['python']} ({sys.platform})"),
        ("torch", f"{versions['torch'] or 'missing'}; torchvision's compiled operators {ops}"),
        ("packages", ", ".join(needed)),
        *((f"[{extra}]", _extra(extra, found)) for extra in found.extras),
        ("CPU", f"{cpu['model']}, {cpu['cores']} usable cores, bf16 {_in_hardware(cpu['bf16'])}"),
        *(("accelerator", _accelerator(a)) for a in found.accelerators),
        ("free memory", " of ".join(f"{memory[k] / _GB:.1f} GB" for k in sorted(memory))),
        ("codecs", ", ".join(_codec(*codec) for codec in found.codecs.items())),
        ("disk", f"{disk['free'] / _GB:.1f} GB free for {disk['folder']}"),
        *(("note", note) for note in found.notes),
        *(("PROBLEM", problem) for problem in found.problems),
        ("train with", found.advice["command"]),
    ]
    return "\n".join(f"{name:<13}{text}" for name, text in lines if text)


def _extra(name: str, found: Examination) -> str:
    packages = found.extras[name]
    if all(packages.values()):
        return ", ".join(f"{package} {number}" for package, number in packages.items())
    return f"not installed; pip install 'pix2color[{name}]'"


def _accelerator(accelerator: dict[str, Any]) -> str:
    size = f", {accelerator['bytes'] / _GB:.1f} GB" if accelerator["bytes"] else ""
    return f"{accelerator['name']} ({accelerator['kind']}){size}, bf16 " + _in_hardware(
        accelerator["bf16"]
    )


def _in_hardware(bf16: bool | None) -> str:
    return {True: "in hardware", False: "not in hardware (float32 is used)", None: "unknown"}[bf16]


def _codec(name: str, there: str | bool) -> str:
    return f"{name} {there}" if isinstance(there, str) else name if there else f"no {name}"
