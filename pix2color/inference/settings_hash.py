"""The settings of a folder job as a hash: what was coloured by others is coloured anew."""

from __future__ import annotations

from pix2color.files import hash_bytes
from pix2color.inference.adjust import ChromaStatistics
from pix2color.inference.colorizer import Colorizer
from pix2color.inference.folder_plan import JobOptions
from pix2color.inference.options import DEEP, ColorizeOptions


def hash_settings(colorizer: Colorizer, job: JobOptions, options: ColorizeOptions) -> str:
    """Hash all that changes an output, but for hints.

    The text is that of the first version, or all that it has coloured would be done again.
    """
    like = options.like
    if isinstance(like, ChromaStatistics):
        like = f"Mood(mean={like.mean!r}, covariance={like.covariance!r})"
    look = f"Look(like={like}, saturation={options.saturation!r}, "
    look += f"temperature={options.temperature!r})"
    model = f"{colorizer.info.sha256!r}, {colorizer.render_size(options)}"
    written = f"{options.quality}, {not options.keep_metadata}, {job.compare}"
    written += ", doubt" if job.doubt else ""
    written += ", deep" if options.depth == DEEP else ""
    written += ", all pages" if job.all_pages else ""
    return hash_bytes(f"({model}, {options.tta}, {look}, {written})".encode())
