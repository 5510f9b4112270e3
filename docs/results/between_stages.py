"""Figures of weights between two stages of a training, and of stronger colours.

    python docs/results/between_stages.py runs/default-l1 runs/default-gan PHOTOS/val 0,1.25 0.5,1

Each pair is the second stage's share of the weights (Wang et al. 2019, deep network interpolation)
and the factor of ab.
"""

import argparse
from pathlib import Path

from pix2color.evaluation.protocol import MODEL, evaluate
from pix2color.inference.colorizer import Colorizer
from pix2color.models.model_file import load_model
from pix2color.models.torch_network import TorchNetwork


def between(first: Path, second: Path, share: float, gain: float) -> Colorizer:
    """A colourizer of both stages' weights."""
    generator, info = load_model(second)
    start = load_model(first)[0].state_dict()
    weights = generator.state_dict()
    floats = {name: value for name, value in weights.items() if value.is_floating_point()}
    mixed = {name: start[name].lerp(value, share) for name, value in floats.items()}
    generator.load_state_dict(weights | mixed)
    network = TorchNetwork(generator, "cpu")
    return Colorizer(lambda L: gain * network(L), info)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("pairs", nargs="+", metavar="SHARE,GAIN")
    options = parser.parse_args()
    for pair in options.pairs:
        share, gain = map(float, pair.split(","))
        colorizer = between(options.first, options.second, share, gain)
        found = evaluate(colorizer, [options.photos], critic=False).rows[MODEL]
        figures = "  ".join(f"{name} {score.value:.4g}" for name, score in found.items())
        print(f"{pair}:  {figures}")


if __name__ == "__main__":
    main()
