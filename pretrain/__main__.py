"""Stage one for launchers: L1 on L → ab. Needs the package: ``pip install .``

    python pretrain --data photos/ --val-fraction 0.2 --epochs 30
    torchrun --nproc-per-node 2 pretrain --data photos/ --epochs 30
    accelerate launch pretrain --data photos/ --config configs/pretrain.yaml
    python pretrain --resume runs/mine

The options are those of ``pix2color pretrain --help``. The batch size is that of one process.
BatchNorm normalises by each process's own pictures; the statistics kept are the first one's.
"""

import sys

try:
    from pix2color.cli.main import cli
except ModuleNotFoundError as error:
    sys.exit(f"error: {error.name} is not installed; run: pip install .")

if __name__ == "__main__":
    cli(["pretrain", *sys.argv[1:]], prog_name="pix2color")
