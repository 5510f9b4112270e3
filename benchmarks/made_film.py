"""Films made from photographs: camera moves, cuts, fades and flashes, all of them known.

film = made_film(photos, random)
film.frames, film.cuts
write_film(path, film.frames)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np

_SHOT = (20, 70)  # frames
_FADE = (6, 16)  # frames down, and as many up
_FLASH = (1, 3)  # frames
_SPEED = 0.012  # of the picture's side a frame, at most
_ZOOM = 0.012  # a frame, at most
_TURN = 0.3  # degrees a frame, at most


@dataclass
class MadeFilm:
    """A film of which everything is known.

    Attributes:
        frames: RGB, uint8 (H, W, 3), all of one shape.
        cuts: where a new shot begins: the first frame at which it may be found, and the last.
        flashes: the frames that are lit by a flash.
    """

    frames: list[np.ndarray] = field(default_factory=list)
    cuts: list[tuple[int, int]] = field(default_factory=list)
    flashes: list[int] = field(default_factory=list)


def made_film(
    photos: list[np.ndarray],
    random: np.random.Generator,
    size: tuple[int, int] = (426, 240),
    *,
    fades: float = 0.25,
    flashes: float = 0.25,
    grain: float = 3.0,
) -> MadeFilm:
    """Make a film that shows each photo in a shot of its own.

    Args:
        photos: RGB, uint8 (H, W, 3).
        random: decides about all that is free.
        size: width and height of the film.
        fades: share of the shots that begin by a fade from black, after one to black.
        flashes: share of the shots with a flash.
        grain: its standard deviation, in levels.
    """
    film = MadeFilm()
    for number, photo in enumerate(photos):
        start = len(film.frames)
        shot = camera_move(photo, int(random.integers(*_SHOT)), random, size)
        if number and random.random() < fades:
            length = int(random.integers(*_FADE))
            _fade(film.frames[-length:], np.linspace(1, 0, length))
            _fade(shot[:length], np.linspace(0, 1, length))
            film.cuts.append((start - length, start + length))
        elif number:
            film.cuts.append((start, start))
        length = len(shot)
        if random.random() < flashes and length > 20:
            at = int(random.integers(8, length - 8))
            for lit in range(at, at + int(random.integers(_FLASH[0], _FLASH[1] + 1))):
                _flash(shot[lit], random.uniform(80, 255))
                film.flashes.append(start + lit)
        film.frames += shot
    noise = random.normal(0, grain, (8, *film.frames[0].shape[:2], 1)).astype(np.float32)
    for frame in film.frames:
        noisy = frame + np.roll(noise[random.integers(8)], random.integers(0, 200, 2), (0, 1))
        frame[:] = noisy.clip(0, 255)
    return film


def camera_move(
    photo: np.ndarray, count: int, random: np.random.Generator, size: tuple[int, int]
) -> list[np.ndarray]:
    """Return the frames, RGB uint8, of a camera that pans, zooms and turns over a photo."""
    height, width = photo.shape[:2]
    scale = 1.6 * max(size[0] / width, size[1] / height)
    steps = random.uniform(-1, 1, 2) * _SPEED * min(size) * random.choice((0.2, 1))
    zoom = 1 + random.uniform(-1, 1) * _ZOOM * random.choice((0, 0.3, 1))
    turn = random.uniform(-1, 1) * _TURN * random.choice((0, 1))
    frames = []
    for number in range(count):
        t = number - count / 2
        move = cv2.getRotationMatrix2D((width / 2, height / 2), turn * t, scale * zoom**t)
        move[:, 2] += np.array(size) / 2 - (width / 2, height / 2) + steps * t
        frames.append(
            cv2.warpAffine(photo, move, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)
        )
    return frames


def write_film(
    path: Path,
    frames: Iterable[np.ndarray],
    codec: str = "ffv1",
    layout: str = "bgr0",
    rate: int = 25,
) -> None:
    """Write a film; without loss unless another codec or pixel format is named.

    Args:
        path: its ending names the container.
        frames: uint8, of one shape: RGB (H, W, 3), or gray (H, W).
        codec: FFmpeg's name of the encoder.
        layout: FFmpeg's name of the pixel format.
        rate: frames a second.
    """
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=rate)
        stream.pix_fmt = layout
        for frame in frames:
            if not stream.codec_context.is_open:
                stream.height, stream.width = frame.shape[:2]
            picture = av.VideoFrame.from_ndarray(frame, "gray" if frame.ndim == 2 else "rgb24")
            file.mux(stream.encode(picture.reformat(format=layout)))
        file.mux(stream.encode(None))


def _fade(frames: list[np.ndarray], shares: np.ndarray) -> None:
    for frame, share in zip(frames, shares, strict=True):
        frame[:] = frame * share


def _flash(frame: np.ndarray, strength: float) -> None:
    frame[:] = np.minimum(frame + strength, 255)
