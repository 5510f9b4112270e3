"""YAML, read within bounds: a few lines can stand for more values than any memory holds."""

from __future__ import annotations

import re
from typing import Any

import yaml

MOST_BYTES = 1_000_000
_MOST_VALUES = 20_000
_DEEPEST = 20
_LARGEST = 2**63


class _Loader(yaml.SafeLoader):
    """Safe YAML that reads ``1e-4`` as a number, as YAML 1.2 has it, and no endless integers."""

    def construct_bounded_int(self, node: yaml.ScalarNode) -> int:
        value = self.construct_yaml_int(node)
        if abs(value) > _LARGEST:
            raise yaml.constructor.ConstructorError(problem_mark=node.start_mark)
        return value


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_bounded_int)


def read_yaml(text: str | bytes) -> Any:
    """Return what a text in YAML stands for: plain values, lists and dicts.

    Args:
        text: bytes are UTF-8, or UTF-16 with its mark.

    Raises:
        ValueError: it is no YAML; or too long, too deeply nested, or too much once its repetitions
            are written out. The message says which, with the line if it is known.
    """
    if len(text) > MOST_BYTES:
        raise ValueError(f"longer than {MOST_BYTES // 1000} kB")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        count = _count(node, 0, {}) if node else 0
        if count <= _MOST_VALUES:
            return loader.construct_document(node) if node else None
    except RecursionError as error:
        raise ValueError("too deeply nested") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise ValueError(f"not valid YAML{where}") from error
    raise ValueError(f"more than {_MOST_VALUES:,} values, its repetitions written out")


def _count(node: yaml.Node, depth: int, known: dict[yaml.Node, float]) -> float:
    """Return how many values a node stands for; endless if it contains itself."""
    if depth > _DEEPEST:
        raise RecursionError
    if node in known or not isinstance(node.value, list):
        return known.get(node, 1)
    known[node] = float("inf")
    parts = [part for entry in node.value for part in (entry if type(entry) is tuple else [entry])]
    known[node] = 1 + sum(_count(part, depth + 1, known) for part in parts)
    return known[node]
