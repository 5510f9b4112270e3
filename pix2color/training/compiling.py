"""The use of torch.compile in training, on devices where it works."""

from __future__ import annotations

import torch
from torch import nn

from pix2color.errors import ConfigError


def compile_networks(networks: list[nn.Module], device: torch.device) -> None:
    """Let the networks run compiled from their next call on.

    They are compiled in place: no wrapper, and the names of their weights stay. Where they are
    to run as they are written, ``torch.compiler.set_stance("force_eager")`` says so.

    Raises:
        ConfigError: nothing can be compiled for the device.
    """
    try:
        torch.compile(torch.neg)(torch.ones(1, device=device))
    except RuntimeError as error:
        raise ConfigError(
            "compile: torch.compile cannot build for "
            f"{device.type}; install a C++ compiler (apt install g++, or name yours in CXX), on a "
            f"GPU Triton too, or train without --compile ({_reason(error)})"
        ) from error
    for network in networks:
        # One picture size, but two sizes of batch in the discriminator: each gets its own code.
        network.compile(dynamic=False)


def _reason(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
