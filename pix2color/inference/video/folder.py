"""A film among the photos of a folder job."""

from __future__ import annotations

import contextlib

import av

from pix2color.errors import ImageError, Pix2colorError
from pix2color.inference.adjust import with_statistics
from pix2color.inference.colorizer import Colorizer
from pix2color.inference.folder_plan import JobOptions, PlannedPhoto
from pix2color.inference.options import ColorizeOptions
from pix2color.inference.photo_result import COLORED, DONE, KEPT, PhotoResult, as_result
from pix2color.inference.video.job import PREVIEW_NOTE, colorize_video, made_by


def color_film(
    film: PlannedPhoto, colorizer: Colorizer, job: JobOptions, options: ColorizeOptions
) -> PhotoResult:
    """Colour one film of a job; what was done before is not done again."""
    target = film.output
    try:
        if job.backup is not None:
            raise ImageError(f"{film.input}: films are not replaced in place; use --out")
        if target.exists() and not job.overwrite:
            options = with_statistics(options)
            mark = made_by(film.input, colorizer, options, job.film, job.film_hints)
            said = _comment(film)
            if said.endswith(mark):
                return PhotoResult(film.input, target, DONE, "coloured before")
            if PREVIEW_NOTE not in said:
                reason = f"{target}: is there already; --overwrite replaces it"
                return PhotoResult(film.input, None, KEPT, reason)
        notes = colorize_video(
            film.input, target, colorizer, options, job.film, hints=job.film_hints
        )
    except (Pix2colorError, OSError) as error:
        return as_result(film.input, error)
    return PhotoResult(film.input, target, COLORED, notes=notes)


def _comment(film: PlannedPhoto) -> str:
    with contextlib.suppress(av.FFmpegError), av.open(str(film.output)) as done:
        tags = {name.lower(): text for name, text in done.metadata.items()}
        return tags.get("comment", "")
    return ""
