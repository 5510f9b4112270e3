"""What `pix2color colorize` does to films: cuts found, quality, speed and memory.

python benchmarks/video.py PHOTOS                  # all, some minutes; PHOTOS: a folder of photos
python benchmarks/video.py PHOTOS FILM…            # quality on these colour films, too
python benchmarks/video.py PHOTOS --only speed

cuts     on films made from the photos by camera moves, with hard cuts, fades and flashes: how many
         were found, and how many of those found are none; beside PySceneDetect's detectors if it is
         installed (pip install scenedetect)
quality  the measures of `pix2color evaluate-video` on one made film and on the films given
speed    of colorize_video on a gray film in H.264 of 1920 × 1080, made from the photos, with grain
         floor    decode the coloured film and encode it again with the same settings, and run the
                  network alone as often as the film has frames, at the same time
         ratio    of the time of colorize_video to the floor's; medians of the rounds, in turns
memory   peak of a process that colours 500 small frames, and of one that colours 10,000
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
from made_film import MadeFilm, made_film, write_film
from PIL import Image

from pix2color import ColorizeOptions, Colorizer
from pix2color.evaluation import tables
from pix2color.evaluation.film_scores import FilmEvaluation, evaluate_film
from pix2color.imaging.grayscale import GrayPhoto
from pix2color.inference.network_input import ReducedPhoto
from pix2color.inference.video.coloring import FilmColorizer
from pix2color.inference.video.encode import choose_encoding
from pix2color.inference.video.film import Film
from pix2color.inference.video.job import colorize_video
from pix2color.processes import cores

PARTS = ("cuts", "quality", "speed", "memory")
SHOTS = 25  # of a film in which cuts are sought
QUALITY_SHOTS, SPEED_SHOTS = 8, 8
HD = (1920, 1080)
SMALL = (320, 180)
FEW, MANY = 500, 10_000  # frames
# What wait4() tells of a child would be no less than what this process has.
CHILD = """\
import sys
from pathlib import Path
from pix2color.inference.video.job import colorize_video
colorize_video(*sys.argv[1:])
peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2]
print(int(peak.split()[0]) / 1024)
"""


def photographs(folder: Path, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield the photos below a folder in random order, RGB uint8 (H, W, 3), again and again."""
    files = sorted(folder.rglob("*.jpg"))
    while True:
        for place in random.permutation(len(files)):
            yield np.asarray(Image.open(files[place]).convert("RGB"))


def cuts(photos: Iterator[np.ndarray], random: np.random.Generator, films: int, work: Path) -> dict:
    """Cuts there, found and false, by detector."""
    detectors = {"pix2color": our_cuts, **scene_detect()}
    found: dict = {name: {"cuts": 0, "found": 0, "false": 0} for name in detectors}
    for _ in range(films):
        film = made_film(list(itertools.islice(photos, SHOTS)), random)
        path = work / "cuts.mp4"
        write_film(path, film.frames, "libx264", "yuv420p")
        for name, detect in detectors.items():
            for key, count in judged(film, detect(path)).items():
                found[name][key] += count
    return found


def our_cuts(path: Path) -> list[int]:
    """The frames at which our own colouring begins a scene."""
    with Film(path) as film:
        frames = FilmColorizer(Colorizer.load(), ColorizeOptions()).run(film.frames())
        return [number for number, frame in enumerate(frames) if frame.cut and number]


def scene_detect() -> dict[str, Callable[[Path], list[int]]]:
    """PySceneDetect's detectors with their own settings, by name; none if it is not there."""
    try:
        import scenedetect
    except ImportError:
        return {}

    def cuts_by(detector: type) -> Callable[[Path], list[int]]:
        return lambda path: [
            start.frame_num for start, _ in scenedetect.detect(str(path), detector())[1:]
        ]

    detectors = (scenedetect.ContentDetector, scenedetect.AdaptiveDetector)
    return {detector.__name__: cuts_by(detector) for detector in detectors}


def judged(film: MadeFilm, found: list[int]) -> dict[str, int]:
    """The cuts that there are, those that were found, and what was found besides."""
    hits = [sum(first <= at <= last for at in found) for first, last in film.cuts]
    hit = sum(map(bool, hits))
    return {"cuts": len(film.cuts), "found": hit, "false": len(found) - hit}


def quality(
    photos: Iterator[np.ndarray], random: np.random.Generator, films: list[Path], work: Path
) -> dict[str, FilmEvaluation]:
    """The measures of a made film, and of those given."""
    made = work / "made.mkv"
    write_film(made, made_film(list(itertools.islice(photos, QUALITY_SHOTS)), random).frames)
    return {film.name: evaluate_film(film, Colorizer.load()) for film in (made, *films)}


def speed(
    photos: Iterator[np.ndarray], random: np.random.Generator, rounds: int, work: Path
) -> dict:
    """Frames a second of colouring, of its parts alone and of the floor; the ratio to the floor."""
    film, colored = work / "hd.mp4", work / "hd-colour.mp4"
    shots = (made_film([photo], random, HD) for photo in itertools.islice(photos, SPEED_SHOTS))
    grays = (frame[..., 1] for shot in shots for frame in shot.frames)
    write_film(film, grays, "libx264", "yuv420p")
    colorizer = Colorizer.load()
    colorize_video(film, colored, colorizer)  # warm
    with av.open(str(colored)) as file:
        count = file.streams.video[0].frames

    def codec() -> None:
        transcode(colored, work / "again.mp4")

    def network() -> None:
        with bare_network(colorizer, count):
            pass

    def floor() -> None:
        with bare_network(colorizer, count):
            codec()

    runs = {
        "pix2color": lambda: colorize_video(film, work / "ours.mp4", colorizer),
        "floor": floor,
        "codec alone": codec,
        "network alone": network,
    }
    times = [{name: seconds(run) for name, run in runs.items()} for _ in range(rounds)]
    median = {name: statistics.median(t[name] for t in times) for name in runs}
    return {
        "frames": count,
        "threads": cores(),
        "frames_per_second": {name: count / taken for name, taken in median.items()},
        "to_floor": median["pix2color"] / median["floor"],
        "to_sum_of_parts": median["pix2color"] / (median["codec alone"] + median["network alone"]),
    }


def transcode(source: Path, target: Path) -> None:
    """Decode a film, and encode it as coloured films are."""
    with Film(source) as film, av.open(str(target), "w") as file:
        context = film.stream.codec_context
        encoding = choose_encoding("h264", None, (context.height, context.width), 8)
        stream = file.add_stream(encoding.encoder, rate=film.rate, options=encoding.options)
        stream.width, stream.height = context.width, context.height
        stream.pix_fmt = encoding.layout
        for frame in film.frames():
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def bare_network(colorizer: Colorizer, count: int) -> ThreadPoolExecutor:
    """Start as many runs of the network on a film of HD; the pool that is returned ends them."""
    side = colorizer.render_size()
    gray = np.zeros((side, round(side * HD[0] / HD[1])), np.uint8)
    batch = np.zeros((1, 1, *ReducedPhoto(GrayPhoto(gray), gray).group), np.float32)
    pool = ThreadPoolExecutor(cores(), initializer=colorizer.use_one_thread)
    for _ in range(count):
        pool.submit(colorizer.network, batch)
    return pool


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def memory(photos: Iterator[np.ndarray], random: np.random.Generator, work: Path) -> dict:
    """Peak memory in MiB of processes that colour few frames and many."""
    frames = made_film(list(itertools.islice(photos, SHOTS)), random, SMALL).frames
    result = {}
    for count in (FEW, MANY):
        film, target = work / f"{count}.mp4", work / f"{count}-colour.mp4"
        grays = (frame[..., 1] for frame in itertools.islice(itertools.cycle(frames), count))
        write_film(film, grays, "libx264", "yuv420p")
        command = [sys.executable, "-c", CHILD, film, target]
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        result[f"{count} frames"] = float(told.stdout)
    return result


def measure(options: argparse.Namespace, work: Path) -> dict:
    random = np.random.default_rng(options.seed)
    photos = photographs(options.photos, random)
    parts: dict[str, Callable[[], dict]] = {
        "cuts": lambda: cuts(photos, random, options.films_with_cuts, work),
        "quality": lambda: quality(photos, random, options.films, work),
        "speed": lambda: speed(photos, random, options.rounds, work),
        "memory": lambda: memory(photos, random, work),
    }
    return {name: parts[name]() for name in options.only or PARTS}


def show(result: dict) -> None:
    for name, counts in result.get("cuts", {}).items():
        share = counts["found"] / counts["cuts"]
        false = counts["false"] / max(1, counts["found"] + counts["false"])
        print(f"{name:18}{counts['found']} of {counts['cuts']} cuts found ({share:.1%}), "
              f"{counts['false']} false ({false:.1%} of those found)")  # fmt: skip
    for name, evaluation in result.get("quality", {}).items():
        print(tables.film_table(name, evaluation))
    if "speed" in result:
        found = result["speed"]
        for name, rate in found["frames_per_second"].items():
            print(f"{name:14}{rate:6.1f} frames/s")
        print(f"{found['to_floor']:.2f} × the floor's time, {found['to_sum_of_parts']:.2f} × its "
              f"parts'; {found['threads']} threads, {found['frames']} frames")  # fmt: skip
    for name, peak in result.get("memory", {}).items():
        print(f"{name:14}{peak:6.0f} MiB at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder to make films from")
    parser.add_argument("films", type=Path, nargs="*", help="colour films to measure quality on")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this; repeatable")
    parser.add_argument("--films-with-cuts", type=int, default=6, help="films to seek cuts in")
    parser.add_argument("--rounds", type=int, default=3, help="of the speed's measurement")
    parser.add_argument("--seed", type=int, default=0, help="of all that is made up")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options, Path(folder))
    if options.json:
        figures = result.get("quality", {})
        as_dicts = {name: tables.film_as_dict(film) for name, film in figures.items()}
        print(json.dumps(result | ({"quality": as_dicts} if figures else {}), indent=2))
    else:
        show(result)


if __name__ == "__main__":
    main()
