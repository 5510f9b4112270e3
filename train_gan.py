"""Stage two for launchers: L1 and a PatchGAN. Needs the package: ``pip install .``

    python train_gan.py --init runs/mine --data photos/ --epochs 10
    torchrun --nproc-per-node 2 train_gan.py --init runs/mine --data photos/ --epochs 10
    accelerate launch train_gan.py --init model.safetensors --data photos/
    python train_gan.py --resume runs/mine-gan

The options are those of ``pix2color train-gan --help``. The batch size is that of one process.
The generator's BatchNorm statistics stay as pretrained unless ``--set freeze_batchnorm=false``.
"""

import sys

try:
    from pix2color.cli.main import cli
except ModuleNotFoundError as error:
    sys.exit(f"error: {error.name} is not installed; run: pip install .")

if __name__ == "__main__":
    cli(["train-gan", *sys.argv[1:]], prog_name="pix2color")
