"""``python -m pix2color`` and ``torchrun -m pix2color``."""

from pix2color.cli.main import main

main()
