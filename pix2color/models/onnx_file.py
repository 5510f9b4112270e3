"""ONNX files of ours: read, checked, and run by onnxruntime."""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from pathlib import Path
from threading import Lock, Timer
from typing import Any

import numpy as np

from pix2color.errors import MissingPathError, ModelError, UsageError
from pix2color.files import SHIPPED_MODELS, coloring_model, hash_bytes, hash_file
from pix2color.models.header import KEY, ModelInfo, parse_header
from pix2color.processes import local_rank
from pix2color.progress import say

# Builds from 1.29 on report their use to Microsoft; what people colour is nobody's business. The
# variable counts as the library is loaded, the call on Windows.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime
from onnxruntime import InferenceSession

onnxruntime.disable_telemetry_events()

DIGEST = f"{KEY}-sha256"
"""Metadata with the hash of the whole file, in which the hash itself is 64 zeros."""
NO_DIGEST = "0" * 64
WEIGHTS = f"{KEY}-weights"
"""Metadata with name and hash of the file beside it that has the large weights, if there is one."""
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
"""Devices that onnxruntime may be built for, and its names of what runs there."""
_CPU = PROVIDERS["cpu"]
# Entries of a graph that name a file: as we write them, and however protobuf lets them be written.
_LOCATION = re.compile(rb"\x0a\x08location\x12[\x0d-\x7f]([\w.-]+\.safetensors)")
_ANY_LOCATION = re.compile(rb"[\x08\x00]location")
_NUMBERED = ("cuda", "directml")
_TRIAL_SIDE = 64  # pixels of the picture on which a graph is tried out
_TRIAL_BYTES = 2 << 30
_TRIAL_SECONDS = 10


def devices() -> list[str]:
    """Return the devices that the installed onnxruntime was built for, the CPU first."""
    found = onnxruntime.get_available_providers()
    return [device for device, provider in PROVIDERS.items() if provider in found]


def choose_provider(device: str) -> tuple[str, dict[str, int]]:
    """Return onnxruntime's provider for a device, and its options.

    Args:
        device: a key of ``PROVIDERS``, with a number behind a colon if there are several of a
            kind; ``auto`` takes CUDA if it is there, or the CPU.

    Raises:
        UsageError: the device is unknown, or the installed onnxruntime was not built for it.
    """
    if device == "auto":
        device = "cuda" if "cuda" in devices() else "cpu"
    kind, _, number = device.partition(":")
    numbered = kind in _NUMBERED and (number.isdecimal() or not number)
    if kind not in devices() or not (numbered or kind == device):
        raise UsageError(
            f"device {device}: this onnxruntime runs on {', '.join(devices())} (or auto); install "
            "one that is built for it, or name a run folder, which torch runs"
        )
    # Where a launcher has started several processes, each takes a device of its own.
    options = {"device_id": int(number or local_rank())} if numbered else {}
    return PROVIDERS[kind], options


class OnnxNetwork:
    """A network in an ONNX file; safe to use from several threads.

    Attributes:
        info: its header.
        weights: the file beside it that has its large weights; None if it has them itself.

    Args:
        path: of a file that ``pix2color export`` has written.
        device: see ``choose_provider``. If it fails, the CPU takes its place.

    Raises:
        MissingPathError: nothing is there.
        ModelError: it is not a file of ours, or damaged.
        UsageError: the device is not there.
    """

    def __init__(self, path: Path, device: str = "auto") -> None:
        if not path.is_file():
            raise MissingPathError(f"{path}: no such file; `pix2color export` writes one")
        self._path = path
        beside = _weights_beside(path)
        if path.resolve() not in map(coloring_model, SHIPPED_MODELS):
            _try_out(path)
        self.weights: Path | None = None
        self._device = Lock()  # of other devices than the CPU, not all take several calls at once
        self._session = self._start(*choose_provider(device))
        self.info = self._checked_header()
        if beside != (self.weights and self.weights.name):
            raise ModelError(f"{path}: has weights that its digest leaves out; export it again")
        self._inputs = [given.name for given in self._session.get_inputs()]

    def __call__(self, L: np.ndarray, *hints: np.ndarray) -> np.ndarray:
        """Return the ab (N, 2, H, W) of L (N, 1, H, W), both float32."""
        return self._run(["ab"], L, *hints)[0]

    def with_doubt(self, L: np.ndarray, *hints: np.ndarray) -> list[np.ndarray]:
        """Return the ab, and how far from the truth it expects that: (N, 1, H, W), in its units."""
        return self._run(["ab", "doubt"], L, *hints)

    def _run(self, outputs: list[str], L: np.ndarray, *hints: np.ndarray) -> list[np.ndarray]:
        given = {"L": L}
        if "hints" in self._inputs:
            none = (np.zeros((len(L), 3, *L.shape[2:]), np.float32),)
            given["hints"] = (hints or none)[0]
        try:
            if _provider(self._session) != _CPU:
                with self._device:
                    if _provider(self._session) != _CPU:  # nobody has left it meanwhile
                        return self._run_on_device(outputs, given)
            return self._session.run(outputs, given)
        except Exception as error:  # onnxruntime's classes differ by what is wrong
            if "allocate" in str(error):
                raise MemoryError(str(error)) from error
            raise

    def _run_on_device(self, outputs: list[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
        try:
            return self._session.run(outputs, given)
        except Exception as error:  # of its driver, of its memory
            self._session = self._start_on_cpu(_provider(self._session), error)
            return self._session.run(outputs, given)

    def _start(self, provider: str, provider_options: dict[str, int]) -> InferenceSession:
        options = _options()
        options.enable_mem_pattern = provider == _CPU  # DirectML has none
        wanted = [(provider, provider_options)]
        try:
            session = InferenceSession(self._path, options, providers=wanted)
        except Exception as error:  # onnxruntime's classes differ by what is wrong
            if provider != _CPU:
                return self._start_on_cpu(provider, error)
            raise ModelError(
                f"{self._path}: is not an ONNX file, damaged, or without its weights beside it"
            ) from error
        if _provider(session) != provider:  # it has given up that device by itself
            return self._start_on_cpu(provider, "it could not be started")
        return session

    def _start_on_cpu(self, provider: str, reason: object) -> InferenceSession:
        first = (str(reason).splitlines() or [type(reason).__name__])[0]
        say(f"warning: {provider} failed, going on with the CPU ({first})")
        return self._start(_CPU, {})

    def _checked_header(self) -> ModelInfo:
        entries: dict[str, Any] = self._session.get_modelmeta().custom_metadata_map
        path = self._path
        if KEY not in entries:
            raise ModelError(f"{path}: an ONNX file without pix2color's header; export it again")
        digest = entries.get(DIGEST, "")
        blank = path.read_bytes().replace(digest.encode(), NO_DIGEST.encode()) if digest else b""
        try:
            weights = json.loads(entries.get(WEIGHTS, "null"))
            if weights:
                self.weights = path.with_name(weights["file"])
            if hash_bytes(blank) != digest or (
                self.weights and hash_file(self.weights) != weights["sha256"]
            ):
                raise ModelError(f"{path}: damaged, or changed since it was written")
        except (TypeError, KeyError, ValueError, OSError, RecursionError) as error:
            raise ModelError(f"{path}: another version wrote it; export it again") from error
        info = parse_header(path, entries[KEY])
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if info.takes_hints > (len(inputs) > 1) or info.gives_doubt > (len(outputs) > 1):
            raise ModelError(f"{path}: its graph does not fit its header; export it again")
        return info


def _weights_beside(path: Path) -> str | None:
    """Return the name of the file that has a graph's large weights, before the graph is run.

    Raises:
        ModelError: it is not one model file beside it, but any on this computer.
    """
    data = path.read_bytes()
    names = {found[1].decode() for found in _LOCATION.finditer(data)}
    if not names and not _ANY_LOCATION.search(data):
        return None
    name = names.pop() if len(names) == 1 else ""
    entry = b"\x0a\x08location\x12" + bytes([len(name)]) + name.encode()
    if not name or data.count(entry) != len(_ANY_LOCATION.findall(data)):
        raise ModelError(f"{path}: has weights in other files than one beside it; export it again")
    return name


def _try_out(path: Path) -> None:
    """Run a graph that comes from anywhere on a small picture, within bounds of memory and time.

    Raises:
        ModelError: it takes more.
    """
    limit = Timer(_TRIAL_SECONDS, lambda: setattr(run, "terminate", True))
    run, options = onnxruntime.RunOptions(), _options()
    _bound_memory()
    options.add_session_config_entry("session.use_env_allocators", "1")
    limit.start()
    try:
        session = InferenceSession(path, options, providers=[_CPU])
        depths = {"L": 1, "hints": 3}
        inputs = {
            given.name: np.zeros(
                (1, depths.get(given.name, 1), _TRIAL_SIDE, _TRIAL_SIDE), "float32"
            )
            for given in session.get_inputs()
        }
        session.run(None, inputs, run)
    except Exception as error:  # onnxruntime's classes differ by what is wrong
        told = str(error)
        if "terminate" in told:
            reason = f"takes more than {_TRIAL_SECONDS} seconds for a small picture"
        elif "llocat" in told or "available memory" in told.lower():
            reason = f"takes more than {_TRIAL_BYTES >> 30} GiB of memory for a small picture"
        else:  # is told where the file is read
            return
        raise ModelError(f"{path}: {reason}; export it again, or take another") from error
    finally:
        limit.cancel()


@lru_cache
def _bound_memory() -> None:
    """Give onnxruntime an allocator with a bound, for the sessions that ask for it."""
    kind = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    memory = onnxruntime.OrtMemoryInfo("Cpu", kind, 0, onnxruntime.OrtMemType.DEFAULT)
    bounds = onnxruntime.OrtArenaCfg({"max_mem": _TRIAL_BYTES, "arena_extend_strategy": 1})
    onnxruntime.create_and_register_allocator(memory, bounds)


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the photos are what is worked on in parallel
    options.log_severity_level = 4  # what goes wrong is raised, too
    return options


def _provider(session: InferenceSession) -> str:
    return session.get_providers()[0]
