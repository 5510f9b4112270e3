"""Write the mean of the weights of models of one network: a model that is often better than each.

    python assets/mean_weights.py runs/one runs/other --out runs/mean.safetensors

"Model soups" (Wortsman et al. 2022, arXiv:2203.05482). It works for trainings that began from the
same weights. Settings and origin are the first model's.
"""

import argparse
from pathlib import Path

import torch

from pix2color.models.model_file import load_model, save_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    (generator, info), *others = map(load_model, options.models)
    states = [generator.state_dict(), *(other.state_dict() for other, _ in others)]
    with torch.no_grad():
        for name, value in states[0].items():
            value.copy_(torch.stack([state[name].double() for state in states]).mean(dim=0))
    save_model(options.out, generator, info)


if __name__ == "__main__":
    main()
