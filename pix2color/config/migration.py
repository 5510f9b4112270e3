"""Settings whose names have changed: recipes with an old one are refused with the new one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pix2color.config.sections import Section
from pix2color.errors import ConfigError

RENAMED: dict[str, tuple[str, ...]] = {
    "losses": ("reconstruction",),
    "loss": ("adversarial", "reconstruction"),
}
"""Old dotted key to new ones; a recipe's own is the first that it has."""


def refuse_old_keys(tree: dict[str, Any], recipe: type[Section], source: str) -> None:
    """Check that no setting of a recipe goes by an old name.

    Args:
        tree: the recipe's settings, as read.
        recipe: its kind.
        source: where they come from, such as the name of the file; begins the message.

    Raises:
        ConfigError: one does; the message names source, old key and new key.
    """
    for key in _dotted(tree):
        new = next((name for name in RENAMED.get(key, ()) if _has(recipe, name)), None)
        if new is not None:
            raise ConfigError(f"{source}: the setting {key!r} is now called {new!r}; rename it")


def _dotted(tree: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in tree.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _dotted(value, f"{prefix}{key}.")


def _has(section: type[Section], dotted: str) -> bool:
    name, _, rest = dotted.partition(".")
    field = section.model_fields.get(name)
    if field is None or not rest:
        return field is not None
    kind = field.annotation
    return isinstance(kind, type) and issubclass(kind, Section) and _has(kind, rest)
