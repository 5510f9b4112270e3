"""Write the files of a model that comes with the package, from its run.

    python assets/ship.py default runs/default-doubt docs/model-card.md runs

`runs/default.safetensors`, in half precision, for training on, and `runs/default.onnx`, for
colouring, which leaves its weights in the other. Both go into `pix2color/` together.
"""

import argparse
from pathlib import Path

from pix2color.models.export import export_safetensors
from pix2color.models.model_file import load_model
from pix2color.models.onnx_graph import save_onnx


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("run", type=Path)
    parser.add_argument("card", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    weights = options.folder / f"{options.name}.safetensors"
    export_safetensors(options.run, weights, options.card)
    save_onnx(weights.with_suffix(".onnx"), *load_model(weights), weights)


if __name__ == "__main__":
    main()
