"""Writing of a run's numbers and pictures to TensorBoard and ``metrics.jsonl``."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from pix2color.config.load import dump_recipe
from pix2color.config.schema import Recipe
from pix2color.files import replacing
from pix2color.imaging.io import from_array, write_picture
from pix2color.training.run_folder import FINISHED, METRICS_IN_RUN

HPARAM_METRICS = ("val/psnr", "val/ssim", "val/delta_e", "val/colorfulness_ratio")


class Tracker:
    """The writer of curves, sample pictures and the recipe into a run folder.

    Args:
        run: the run folder.
        first_step: step that the run goes on from; what was written after it, by a process
            that was killed before its next checkpoint, is taken back.
    """

    def __init__(self, run: Path, recipe: Recipe, *, first_step: int = 0) -> None:
        self.run = run
        self._jsonl_path = run / METRICS_IN_RUN
        _drop_after(self._jsonl_path, first_step)
        self._jsonl = self._jsonl_path.open("a", encoding="utf-8")
        self._closing = contextlib.ExitStack()
        place = self._closing.enter_context(_named_in_utf8(run))
        # TensorBoard discards older points from purge_step on: no zigzag.
        self._board = SummaryWriter(str(place), purge_step=first_step + 1 if first_step else None)
        if not first_step:
            self._write_recipe(recipe)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Add one point to each named curve."""
        for name, value in values.items():
            self._board.add_scalar(name, value, step)
        self._write({"step": step, **values})

    def samples(self, step: int, pictures: np.ndarray) -> None:
        """Write pictures, uint8 (3, H, W), to TensorBoard and to a file in ``samples/``."""
        self._board.add_image("gray | prediction | truth", pictures, step)
        self._board.flush()
        write_picture(
            self.run / "samples" / f"step-{step:08d}.jpg", from_array(pictures), quality=90
        )

    def text(self, name: str, text: str, step: int = 0) -> None:
        """Write words beside the curves."""
        self._board.add_text(name, _in_utf8(text), step)

    def finished(self, step: int) -> None:
        """Write that the budget is spent, a line that the folder of a stopped run lacks."""
        self._write({"step": step, FINISHED: True})

    def close(self) -> None:
        self._jsonl.close()
        self._board.close()
        self._closing.close()

    def _write(self, point: dict[str, Any]) -> None:
        self._jsonl.write(json.dumps(point) + "\n")
        self._jsonl.flush()

    def _write_recipe(self, recipe: Recipe) -> None:
        text = _in_utf8(dump_recipe(recipe))
        self._board.add_text("recipe", "\n".join("    " + line for line in text.splitlines()))
        flat = {k: v for k, v in _flat(recipe.model_dump(mode="json")) if v is not None}
        plain = {
            k: v if isinstance(v, (bool, int, float)) else _in_utf8(str(v)) for k, v in flat.items()
        }
        # add_hparams() would open a second run folder; these summaries belong to this one.
        for summary in hparams(plain, dict.fromkeys(HPARAM_METRICS, 0.0)):
            self._board._get_file_writer().add_summary(summary)


@contextlib.contextmanager
def _named_in_utf8(folder: Path) -> Iterator[Path]:
    """Yield a path of a folder that TensorBoard takes: all of it in UTF-8, if need be by a link."""
    if _in_utf8(str(folder)) == str(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory() as place:
        link = Path(place) / "run"
        link.symlink_to(folder.resolve(), target_is_directory=True)
        yield link


def _in_utf8(text: str) -> str:
    """Return a text with names of files in it that are not in UTF-8 as what can be shown."""
    return text.encode("utf-8", "replace").decode()


def _flat(tree: dict, prefix: str = "") -> list[tuple[str, object]]:
    pairs = []
    for key, value in tree.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{prefix}{key}.")
        else:
            pairs.append((prefix + key, value))
    return pairs


def _drop_after(jsonl: Path, step: int) -> None:
    """Remove the lines past ``step``, and a half-written last one."""
    if not jsonl.exists():
        return
    kept = []
    for line in jsonl.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except json.JSONDecodeError:
            continue
    with replacing(jsonl) as temporary:
        temporary.write_text("".join(kept), encoding="utf-8")
