"""An examination of this installation and machine, with advice on training there.

Nothing is imported before it is looked at: the doctor must also come when torch is broken.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
import sys
import warnings
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pix2color import __version__
from pix2color.processes import container_limit, cores

_PACKAGE = "pix2color"
_TRAINING = "train"  # the extra that has what trainings need
_FOR_DEVELOPERS = ("dev", "docs")
_CODECS = {"JPEG": "jpg", "PNG": "zlib", "WebP": "webp", "AVIF": "avif", "TIFF": "libtiff"}
_ALWAYS = ("JPEG", "PNG")
_GB = 1e9
_RUN_BYTES = 2 * _GB  # a run with its checkpoints, the default network in both stages


@dataclass
class Examination:
    """The state of an installation and its machine.

    Attributes:
        versions: of pix2color, Python and what it needs; None: not installed.
        devices: that colouring can be told to run on.
        extras: name of an extra → versions of its packages.
        torchvision_ops: whether torchvision's compiled operators load; None: it does not import.
        cpu: ``model``, ``cores`` that this process may use, and whether ``bf16`` is computed.
        accelerators: ``name``, ``kind``, ``bytes`` of memory, and ``bf16`` of each.
        memory: ``total`` and ``available`` bytes, as far as a container lets it.
        codecs: picture format → version, or whether it is there at all.
        disk: ``folder`` of the runs, its ``free`` bytes, and whether it is ``writable``.
        advice: ``command`` that trains on this machine; empty where torch is not installed.
        problems: what must be mended, with the cure.
        notes: what may be mended.
    """

    versions: dict[str, str | None]
    extras: dict[str, dict[str, str | None]]
    codecs: dict[str, str | bool]
    disk: dict[str, Any]
    devices: list[str] = field(default_factory=list)
    torchvision_ops: bool | None = None
    cpu: dict[str, Any] = field(default_factory=dict)
    accelerators: list[dict[str, Any]] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)
    advice: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)


def examine(runs: Path) -> Examination:
    """Examine installation, machine and the folder for runs, be it there or not."""
    needed, extras = requirements()
    versions = {name: _version(name) for name in needed}
    found = Examination(
        versions={"pix2color": __version__, "python": platform.python_version(), **versions},
        extras={extra: {n: _version(n) for n in names} for extra, names in extras.items()},
        codecs={},
        disk=_disk(runs),
    )
    installed = [name for name, there in found.extras.get(_TRAINING, {}).items() if there]
    modules = _modules([*needed, *installed])
    usable = [name for name in modules if _imports(name, modules, found)]
    found.cpu = {"model": _cpu_model(), "cores": cores(), "bf16": None}
    if "psutil" in usable:
        found.memory = _memory()
    if "pillow" in usable:
        found.codecs = _codecs(found)
    if "onnxruntime" in usable:
        from pix2color.models.onnx_file import devices

        found.devices = devices()
    if "torch" in usable:
        _find_accelerators(found)
        found.advice = advise(found)
    if not found.disk["writable"]:
        found.problems.append(f"{runs}: cannot be written; choose another --runs-dir")
    elif found.disk["free"] < _RUN_BYTES:
        found.problems.append(f"{runs}: less than {_RUN_BYTES / _GB:.0f} GB free; a run needs them")
    return found


def requirements() -> tuple[list[str], dict[str, list[str]]]:
    """Return the distributions that pix2color needs, and those of each of its extras for users."""
    needed: list[str] = []
    extras: dict[str, list[str]] = {}
    for line in requires(_PACKAGE) or ():
        requirement = Requirement(line)
        found = re.search(r"extra == ['\"]([\w-]+)['\"]", str(requirement.marker or ""))
        if found is None:
            needed.append(requirement.name)
        elif found[1] not in _FOR_DEVELOPERS:
            extras.setdefault(found[1], []).append(requirement.name)
    return needed, extras


def _modules(distributions: list[str]) -> dict[str, str]:
    """Return the module to import of each distribution: of several, the one named most alike."""
    names: dict[str, list[str]] = {}
    for module, owners in packages_distributions().items():
        for owner in owners:
            names.setdefault(canonicalize_name(owner), []).append(module)
    found = {}
    for distribution in distributions:
        plain = canonicalize_name(distribution).replace("-", "_")
        public = [n for n in names.get(canonicalize_name(distribution), []) if n[0].isalpha()]
        found[distribution] = plain if plain in public else next(iter(sorted(public)), plain)
    return found


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _imports(name: str, modules: dict[str, str], found: Examination) -> bool:
    """Return whether a distribution can be imported; if not, that is a problem."""
    try:
        if name == "torchvision":
            found.torchvision_ops = _torchvision_ops()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(modules[name])
    except Exception as error:  # a broken installation raises whatever it likes
        if getattr(error, "name", None) in set(modules.values()) - {modules[name]}:
            return False  # named for itself
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        how = "install --force-reinstall" if _version(name) else "install"
        found.problems.append(f"{name}: {reason}; run: pip {how} {name}")
        return False
    return True


def _torchvision_ops() -> bool:
    """Return whether the operators load; if not, torchvision was built for another torch."""
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
        messages = found.problems if name in _ALWAYS else found.notes
        messages.append(
            f"pillow: was built without {name}; run: pip install --force-reinstall pillow"
        )
    codecs["libjpeg-turbo"] = features.version_feature("libjpeg_turbo") or False
    return codecs


def _find_accelerators(found: Examination) -> None:
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


def advise(found: Examination) -> dict[str, Any]:
    """Return the command that trains here: a process an accelerator, or one on the CPU."""
    processes = max(1, len(found.accelerators))
    batch = min((_batch(a["bytes"]) for a in found.accelerators), default=16)
    workers = min(8 if found.accelerators else 2, max(1, found.cpu["cores"] // processes))
    entry = "pix2color"
    if processes > 1:
        entry = f"torchrun --nproc-per-node {processes} -m pix2color"
    command = f"{entry} pretrain --data photos/ --workers {workers} --batch-size {batch}"
    return {"command": command, "processes": processes, "workers": workers, "batch_size": batch}


def _batch(memory: int | None) -> int:
    """Return how many pictures of 128 pixels make a good batch in so much memory."""
    return 64 if (memory or 0) >= 8 * _GB else 16


def as_text(found: Examination) -> str:
    """Return a table for people to read."""
    versions = found.versions
    named_above = ("pix2color", "python")
    needed = (f"{n} {v or 'missing'}" for n, v in versions.items() if n not in named_above)
    ops = {True: "load", False: "do not load (unused here)", None: ""}[found.torchvision_ops]
    cpu, memory, disk = found.cpu, found.memory, found.disk
    lines = [
        ("pix2color", f"{versions['pix2color']}, Python {versions['python']} ({sys.platform})"),
        ("packages", ", ".join(needed)),
        *((f"[{extra}]", _extra(extra, found)) for extra in found.extras),
        ("torchvision", ops and f"compiled operators {ops}"),
        ("colours on", ", ".join(found.devices)),
        ("CPU", f"{cpu['model']}, {cpu['cores']} usable cores, bf16 {_in_hardware(cpu['bf16'])}"),
        *(("accelerator", _accelerator(a)) for a in found.accelerators),
        ("free memory", " of ".join(f"{memory[k] / _GB:.1f} GB" for k in sorted(memory))),
        ("codecs", ", ".join(_codec(*codec) for codec in found.codecs.items())),
        ("disk", f"{disk['free'] / _GB:.1f} GB free for {disk['folder']}"),
        *(("note", note) for note in found.notes),
        *(("PROBLEM", problem) for problem in found.problems),
        ("train with", found.advice.get("command")),
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
