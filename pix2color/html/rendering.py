"""Pages of HTML from the templates in this folder; whatever stands in them is escaped."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from pix2color import __version__

if TYPE_CHECKING:
    from jinja2 import Environment, Template

TEMPLATES = Path(__file__).with_name("templates")


@functools.cache
def environment() -> Environment:
    """Return the one Jinja2 environment of all pages: it escapes, and refuses missing values."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals["version"] = __version__
    found.policies["json.dumps_kwargs"] = {"sort_keys": False, "ensure_ascii": False}
    return found


def template(name: str) -> Template:
    """Return a template by its file name, such as ``gallery.html``."""
    return environment().get_template(name)
