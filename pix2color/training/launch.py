"""Restarts and the store of the processes that ``torchrun`` starts."""

from __future__ import annotations

import os

import torch.distributed as dist

from pix2color.config.schema import Recipe
from pix2color.errors import UsageError
from pix2color.processes import world_size


def is_restarted(recipe: Recipe) -> bool:
    """Return whether ``torchrun --max-restarts`` has started these processes anew.

    It does so when one of them has died; then the run goes on by itself.

    Raises:
        UsageError: the run has no name to be found again by.
    """
    if os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0") == "0":
        return False
    if recipe.name is None:
        raise UsageError("torchrun --max-restarts: name the run with --name, to find it again")
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def join() -> None:
    """Connect the processes of one machine, with a part of torchrun's store for each start.

    torchrun keeps one store for all its starts, where the addresses of processes that have died
    linger, and new ones sometimes try to reach them. (Several machines count their starts apart;
    there TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 does it.)
    """
    size = world_size()
    start = os.environ.get("TORCHELASTIC_RESTART_COUNT")
    if start is None or size == 1 or str(size) != os.environ.get("LOCAL_WORLD_SIZE"):
        return
    if not dist.is_initialized():
        store, rank, processes = next(dist.rendezvous("env://"))
        store = dist.PrefixStore(f"start-{start}", store)
        dist.init_process_group(store=store, rank=rank, world_size=processes)
