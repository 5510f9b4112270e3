"""Films for tests, drawn or made from a photograph."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 25
BASE = Fraction(1, 600)  # seconds; of the times of frames
TICKS = int(1 / (RATE * BASE))


def drawn_frames(
    count: int, size: tuple[int, int] = (96, 64), *, seed: int = 0
) -> list[np.ndarray]:
    """Return frames, gray uint8, of waves that drift to the right by two pixels a frame."""
    width, height = size
    random = np.random.default_rng(seed)
    waves = random.uniform(0.02, 0.3, (6, 2)), random.uniform(0, 6, 6)
    y, x = np.mgrid[:height, : width + 2 * count]
    world = sum(np.sin(fx * x + fy * y + p) for (fx, fy), p in zip(*waves, strict=True))
    world = (128 + 20 * world).clip(0, 255).astype(np.uint8)
    return [world[:, 2 * (count - t) : 2 * (count - t) + width].copy() for t in range(count)]


def write_film(
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    codec: str = "ffv1",
    layout: str = "yuv420p",
    times: Sequence[int] | None = None,
    tags: dict[str, int] | None = None,
    rotation: int | None = None,
    aspect: Fraction | None = None,
    audio_tracks: int = 0,
) -> Path:
    """Write a film.

    Args:
        frames: gray (H, W), RGB (H, W, 3) uint8, or the luma itself, uint16 (H, W).
        times: of the frames, in ``BASE``; by default even.
        tags: of colour, such as ``color_range``.
        rotation: counterclockwise, by which players turn it.
        aspect: of a pixel.
        audio_tracks: how many, with noise in each.
    """
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=RATE, options={"crf": "10"} if codec != "ffv1" else {})
        context = stream.codec_context
        stream.width, stream.height, stream.pix_fmt = width, height, layout
        context.time_base = BASE
        for name, value in (tags or {}).items():
            setattr(context, name, value)
        if aspect:
            context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        tracks = [file.add_stream("aac", rate=48000) for _ in range(audio_tracks)]
        for number, pixels in enumerate(frames):
            frame = _frame(pixels, layout)
            frame.pts, frame.time_base = times[number] if times else number * TICKS, BASE
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
        for track in tracks:
            _add_noise(file, track, len(frames) / RATE)
    return path


def lumas(path: Path) -> list[np.ndarray]:
    """Return the luma of all frames, as it is coded."""
    with av.open(str(path)) as file:
        return [_plane(frame, 0) for frame in file.decode(video=0)]


def chromas(path: Path) -> list[np.ndarray]:
    """Return U and V of all frames, as they are coded."""
    with av.open(str(path)) as file:
        return [np.stack([_plane(frame, c) for c in (1, 2)]) for frame in file.decode(video=0)]


def times(path: Path) -> list[Fraction]:
    """Return when the frames are shown, in seconds."""
    with av.open(str(path)) as file:
        return [frame.pts * frame.time_base for frame in file.decode(video=0)]


def packets(path: Path, kind: str) -> list[bytes]:
    """Return the content of all packets of the streams of a kind, stream by stream."""
    with av.open(str(path)) as file:
        streams = [s for s in file.streams if s.type == kind]
        found: dict[int, bytes] = {s.index: b"" for s in streams}
        for packet in file.demux(streams):
            if packet.dts is not None:  # the last ones only say that nothing follows
                found[packet.stream_index] += bytes(packet)
        return list(found.values())


def _frame(pixels: np.ndarray, layout: str) -> av.VideoFrame:
    if pixels.ndim == 3:
        return av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=layout)
    frame = av.VideoFrame(pixels.shape[1], pixels.shape[0], layout)
    depth = frame.format.components[0].bits
    for number, plane in enumerate(frame.planes):
        lines = np.frombuffer(plane, pixels.dtype).reshape(plane.height, -1)
        lines[:] = 1 << (depth - 1)
        if number == 0:
            lines[:, : pixels.shape[1]] = pixels
    return frame


def _plane(frame: av.VideoFrame, number: int) -> np.ndarray:
    kind = np.dtype(np.uint8 if frame.format.components[0].bits == 8 else np.uint16)
    plane = frame.planes[number]
    return np.frombuffer(plane, kind).reshape(plane.height, -1)[:, : plane.width].copy()


def _add_noise(file: av.container.OutputContainer, track: av.AudioStream, seconds: float) -> None:
    samples = np.random.default_rng(track.index).normal(0, 0.1, (2, int(48000 * seconds)))
    for start in range(0, samples.shape[1] - 1023, 1024):
        chunk = np.ascontiguousarray(samples[:, start : start + 1024], np.float32)
        frame = av.AudioFrame.from_ndarray(chunk, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = 48000, start
        frame.time_base = Fraction(1, 48000)
        file.mux(track.encode(frame))
    file.mux(track.encode(None))
