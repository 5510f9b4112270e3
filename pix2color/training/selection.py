"""The choice of a run's best validation, and its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pix2color.config.schema import SelectionConfig

History = Sequence[dict[str, Any]]  # step and scores of each validation


def best(history: History, config: SelectionConfig) -> int:
    """Return the step of the validation with the lowest ΔE00 within the band of colourfulness.

    L1 alone wins ΔE00 by colouring little, which the band forbids. If none is inside, the
    nearest one is taken.
    """
    return int(min(history, key=lambda v: (_outside(v, config), v["delta_e"]))["step"])


def describe_choice(history: History, config: SelectionConfig) -> str:
    """Return the choice in words."""
    step = best(history, config)
    chosen = next(v for v in history if v["step"] == step)
    last = history[-1]
    text = f"selected step {step}: {_figures(chosen)}; "
    if config.band is None:
        text += f"the lowest ΔE00 of {len(history)} validations"
    else:
        low, high = config.band
        inside = sum(not _outside(v, config) for v in history)
        text += (
            f"the lowest ΔE00 of {inside} among {len(history)} validations within {low} to {high}"
            if inside
            else f"none of {len(history)} validations is within {low} to {high}, it is the nearest"
        )
    return text + ("" if step == last["step"] else f" (the last, {last['step']}: {_figures(last)})")


def _outside(validation: dict[str, Any], config: SelectionConfig) -> float:
    """Return how far the colourfulness ratio is from the band."""
    if config.band is None:
        return 0.0
    low, high = config.band
    ratio = float(validation["colorfulness_ratio"])
    return max(low - ratio, ratio - high, 0.0)


def _figures(validation: dict[str, Any]) -> str:
    return (
        f"ΔE00 {validation['delta_e']:.2f}, "
        f"colourfulness ratio {validation['colorfulness_ratio']:.2f}"
    )
