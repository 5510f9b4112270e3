"""The shortening of warm-ups for which a short budget has no room."""

from __future__ import annotations

from typing import TypeVar

from pix2color.config.schema import Recipe

SomeRecipe = TypeVar("SomeRecipe", bound=Recipe)
_SHARE = 4  # a shortened warm-up takes a quarter of the budget


def shorten_warmups(
    recipe: SomeRecipe, steps: int | None, *, critic_share: float = 1.0
) -> tuple[SomeRecipe, list[str]]:
    """Return the recipe with warm-ups that leave something of the budget, and what was changed.

    Those that take all of it are shortened to a quarter; others stay as they are.

    Args:
        recipe: of either stage.
        steps: of the whole budget; None, a budget of minutes, changes nothing.
        critic_share: share of the budget that the critic's warm-up must stay below.
    """
    if steps is None:
        return recipe, []
    changes: dict[str, object] = {}
    notes: list[str] = []
    critic = getattr(recipe, "critic_warmup_steps", 0)
    if critic and critic >= critic_share * steps:
        changes["critic_warmup_steps"] = steps // _SHARE
        notes.append(_note("critic_warmup_steps", critic, steps))
    schedule = recipe.schedule
    if schedule.name != "onecycle" and schedule.warmup_steps >= max(steps, 2):
        notes.append(_note("schedule.warmup_steps", schedule.warmup_steps, steps))
        changes["schedule"] = schedule.model_copy(update={"warmup_steps": steps // _SHARE})
    return (recipe.model_copy(update=changes) if changes else recipe), notes


def _note(key: str, warmup: int, steps: int) -> str:
    room = f"a budget of {steps} steps has room for"
    return f"{key}: {warmup} is more than {room}; {steps // _SHARE} instead"
