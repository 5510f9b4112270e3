"""Models that people share: in folders, or on the Hugging Face hub."""

from __future__ import annotations

import re
from pathlib import Path

from pix2color.errors import MissingPathError, ModelError
from pix2color.extras import require
from pix2color.models.header import GRAPH_IN_FOLDER


def shared_model(source: Path | str) -> Path:
    """Return the path of a shared model's file for colouring; see ``Colorizer.from_pretrained``."""
    folder = Path(source)
    if folder.is_dir():
        return folder / GRAPH_IN_FOLDER
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", str(source)):
        raise MissingPathError(f"{source}: no such folder, and no repository like name/photos")
    hub = require("huggingface_hub", f"{source} (no such folder here)")
    try:
        return Path(hub.hf_hub_download(str(source), GRAPH_IN_FOLDER))
    except Exception as error:  # of the hub or of the network
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{source}: cannot be fetched from the hub ({reason})") from error
