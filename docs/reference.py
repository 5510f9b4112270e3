"""Writes docs/recipe-reference.md from the settings' own docstrings, and docs/commands.md from the
command line's own help.

    python docs/reference.py          # writes both
    python docs/reference.py --check  # exit code 1 if either is out of date
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import click

from pix2color.cli.main import cli
from pix2color.config.schema import GanRecipe, PretrainRecipe, Section

DOCS = Path(__file__).parent
WIDTH = 88  # columns of a terminal
NOTE = "<!-- Written by docs/reference.py; change the docstrings, then run it. -->\n\n"
TASKS: dict[str, type[Section]] = {"pretrain": PretrainRecipe, "train-gan": GanRecipe}


def recipe_reference() -> str:
    """Every setting of both stages: first those that both have with one default."""
    lines = [
        "# Every setting of a recipe",
        "",
        "In YAML (`--config`), or one at a time (`--set data.crop=192`). `pix2color recipes`",
        "lists the recipes that come along. Each run writes all its settings to `config.yaml`,",
        "which `--config` takes again.",
    ]
    plain: dict[str, list[str]] = {}
    sections: dict[str, type[Section]] = {}
    for task, recipe in TASKS.items():
        complete = recipe().model_dump(mode="json")
        for name, field in recipe.model_fields.items():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, Section):
                sections[name] = kind
                continue
            row = f"| `{name}` | `{shown(complete[name])}` | {meaning(field.description)} |"
            plain.setdefault(row, []).append(task)
    both = [row for row, tasks in plain.items() if len(tasks) == len(TASKS)]
    lines += ["", "## Both stages", "", *HEAD, *both]
    for task in TASKS:
        own = [row for row, tasks in plain.items() if tasks == [task]]
        lines += ["", f"## `{task}` alone", "", *HEAD, *own]
    for name, kind in sections.items():
        lines += ["", f"## `{name}`", "", meaning(kind.__doc__), "", *HEAD]
        lines += [section_row(name, key, kind) for key in kind.model_fields]
    return "\n".join(lines) + "\n"


HEAD = ["| setting | default | meaning |", "| --- | --- | --- |"]


def section_row(section: str, key: str, kind: type[Section]) -> str:
    """A setting of a section; its default by task where they differ."""
    defaults = {}
    for task, recipe in TASKS.items():
        complete = recipe().model_dump(mode="json")
        if section in complete:
            defaults[task] = shown(complete[section][key])
    told = [f"`{value}`" for value in dict.fromkeys(defaults.values())]
    if len(told) > 1:
        told = [f"{task}: `{value}`" for task, value in defaults.items()]
    description = meaning(kind.model_fields[key].description)
    return f"| `{section}.{key}` | {'<br>'.join(told)} | {description} |"


def shown(value: Any) -> str:
    """As YAML has it, on one line."""
    return json.dumps(value).replace('"', "") if value != "" else "''"


def meaning(text: str | None) -> str:
    """A docstring on one line of Markdown."""
    return " ".join((text or "").split()).replace("``", "`").replace("|", "\\|")


def commands() -> str:
    """Return every command's help as the terminal shows it, in the groups of the command line."""
    top = click.Context(cli, info_name="pix2color", terminal_width=WIDTH, **cli.context_settings)
    lines = ["# Every command", "", "Each prints this with `--help`.", "", *shown_help(top)]
    for heading, section in cli.sections.items():
        lines += [f"## {heading}", ""]
        for command in section:
            name = command.name
            context = click.Context(command, info_name=name, parent=top, terminal_width=WIDTH)
            lines += [f"### {name}", "", *shown_help(context)]
    return "\n".join(lines)


def shown_help(context: click.Context) -> list[str]:
    """Return a command's help as lines of Markdown."""
    return ["```text", context.command.get_help(context), "```", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    for name, make in (("recipe-reference.md", recipe_reference), ("commands.md", commands)):
        path, text = DOCS / name, NOTE + make()
        if not options.check:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path}: is out of date; run: python {Path(__file__)}")


if __name__ == "__main__":
    main()
