"""Makes every Python process of the tests take the CPU for one with bf16, or for one without.

``conftest`` puts this folder on the path where PIX2COLOR_TEST_BF16 is 0 or 1. The module that asks
the CPU is changed when something imports it: nothing is loaded for it.
"""

import importlib.abc
import importlib.machinery
import os
import sys

MODULE = "pix2color.models.precision"


class Forcing(importlib.abc.MetaPathFinder):
    """Finds that one module, and changes its answer for the CPU once it is loaded."""

    def find_spec(self, name, path=None, target=None):
        if name != MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module

        def forced(module):
            execute(module)
            asks = module.computes_in_bf16
            answer = os.environ["PIX2COLOR_TEST_BF16"] == "1"
            module.computes_in_bf16 = lambda device: answer if device == "cpu" else asks(device)

        spec.loader.exec_module = forced
        return spec


if os.environ.get("PIX2COLOR_TEST_BF16") in ("0", "1"):
    sys.meta_path.insert(0, Forcing())
