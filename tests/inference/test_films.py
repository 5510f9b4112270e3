"""Films: what must stay as it was does, colours keep still, and nothing is half done."""

from fractions import Fraction

import av
import films
import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

from pix2color import (
    ColorizeOptions,
    Colorizer,
    FilmHint,
    FilmOptions,
    Hint,
    colorize_frames,
    colorize_video,
)
from pix2color.errors import HasColorError, ImageError, MissingPathError, UsageError

LOSSLESS = FilmOptions(codec="ffv1")
SAMPLES = ROOT / "pix2color" / "samples"


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer.load()


@pytest.fixture
def color(colorizer, tmp_path):
    def run(film, name="colour.mkv", options=LOSSLESS, look=ColorizeOptions()):  # noqa: B008
        target = tmp_path / name
        colorize_video(film, target, colorizer, look, options)
        return target

    return run


def pan(count, step=2, size=(96, 72), photo="astronaut.jpg"):
    """Frames of a camera that moves to the right over a photograph, gray uint8."""
    with Image.open(SAMPLES / photo) as picture:
        scaled = picture.convert("L").resize((size[0] + step * count, size[0] + step * count))
    world = np.asarray(scaled)
    return [world[: size[1], step * t : step * t + size[0]].copy() for t in range(count)]


@pytest.mark.parametrize(
    ("layout", "size"),
    [
        ("yuv420p", (96, 64)),
        ("yuv422p", (96, 64)),
        ("gray", (96, 64)),
        ("yuv420p10le", (96, 64)),
        ("gray12le", (96, 64)),
        ("yuv444p", (97, 65)),
        ("yuv422p", (96, 65)),
    ],
)
def test_the_luma_stays_to_the_last_level_in_every_layout(color, tmp_path, layout, size):
    kind = np.uint8 if layout[-2:] != "le" else np.uint16
    deep = {"yuv420p10le": 4, "gray12le": 16}.get(layout, 1)
    frames = [f.astype(kind) * deep + kind(deep - 1) for f in films.drawn_frames(4, size)]
    film = films.write_film(tmp_path / "film.mkv", frames, layout=layout)
    done = color(film)
    for before, after in zip(films.lumas(film), films.lumas(done), strict=True):
        assert np.array_equal(before, after)
    middle = 1 << (8 * deep).bit_length() - 2 if deep > 1 else 128
    assert all(np.abs(c.astype(int) - middle).max() > middle / 64 for c in films.chromas(done))


def test_the_matrix_is_the_one_that_the_film_names(color, tmp_path):
    """5 and 6 are the same coefficients under two names, 1 and 9 are others."""
    chromas = {}
    for matrix in (1, 5, 6, 9):
        frames = films.drawn_frames(1, (96, 720))  # so high that unnamed ones would be 1
        tags = {"colorspace": matrix, "color_range": 1}
        done = color(films.write_film(tmp_path / f"{matrix}.mkv", frames, tags=tags))
        chromas[matrix] = films.chromas(done)[0]
        with av.open(str(done)) as file:
            assert next(file.decode(video=0)).colorspace == matrix
    assert np.array_equal(chromas[5], chromas[6])
    assert not any(np.array_equal(chromas[5], chromas[other]) for other in (1, 9))


@pytest.mark.parametrize("size", [(2, 2), (300, 16), (5, 90)])
def test_strips_and_tiny_films(color, tmp_path, size):
    frames = [np.full(size[::-1], 100 + t, np.uint8) for t in range(3)]
    film = films.write_film(tmp_path / "film.mkv", frames, layout="yuv444p")
    assert all(map(np.array_equal, frames, films.lumas(color(film))))


def test_full_range_is_kept_and_told(color, tmp_path):
    frames = films.drawn_frames(2)
    film = films.write_film(tmp_path / "film.mkv", frames, tags={"color_range": 2})
    done = color(film)
    with av.open(str(done)) as file:
        assert all(frame.color_range == 2 for frame in file.decode(video=0))
    assert np.array_equal(films.lumas(done)[1], frames[1])


def test_colors_are_those_of_a_photo_of_the_frame(color, colorizer, tmp_path):
    frame = pan(1, size=(256, 192))[0]
    # Studio range by hand, so that the film shows the photo's own grays.
    luma = np.round(16 + frame / 255 * 219).astype(np.uint8)
    film = films.write_film(tmp_path / "film.mkv", [luma], layout="yuv420p")
    with av.open(str(color(film))) as done:
        (shown,) = [f.to_ndarray(format="rgb24") for f in done.decode(video=0)]
    photo = np.asarray(colorizer.colorize(frame)).astype(int)
    # Luma is kept instead of L*: the colours differ a little, in strong ones most.
    assert np.abs(photo - shown).mean() < 6
    difference = (photo - photo.mean(2, keepdims=True)) - (shown - shown.mean(2, keepdims=True))
    assert np.abs(difference).mean() < 3


def test_times_and_sound_and_what_players_need_to_know_stay(color, tmp_path):
    times = [0, 20, 30, 80, 81, 120, 300, 310]
    film = films.write_film(
        tmp_path / "film.mp4",
        films.drawn_frames(8),
        codec="libx264",
        times=times,
        tags={"color_range": 1, "colorspace": 1, "color_primaries": 1, "color_trc": 1},
        rotation=90,
        aspect=Fraction(16, 11),
        audio_tracks=2,
    )
    done = color(film, "colour.mp4", FilmOptions(crf=0))
    assert films.times(done) == [t * films.BASE for t in times]
    assert films.packets(done, "audio") == films.packets(film, "audio")
    with av.open(str(film)) as before, av.open(str(done)) as after:
        old, new = (next(f.decode(video=0)) for f in (before, after))
        for name in ("rotation", "color_range", "colorspace", "color_primaries", "color_trc"):
            assert getattr(old, name) == getattr(new, name), name
        streams = [f.streams.video[0] for f in (before, after)]
        assert streams[0].sample_aspect_ratio == streams[1].sample_aspect_ratio == Fraction(16, 11)
    for old, new in zip(films.lumas(film), films.lumas(done), strict=True):
        assert np.array_equal(old, new)


def test_a_film_that_players_turn_is_looked_at_upright(color, tmp_path):
    upright = pan(3, size=(96, 96))
    lying = [np.rot90(frame, -1).copy() for frame in upright]
    turned = films.write_film(tmp_path / "t.mp4", lying, codec="libx264", rotation=90)
    plain = films.write_film(tmp_path / "p.mp4", upright, codec="libx264")
    first, second = (films.chromas(color(f, f"{f.stem}.mkv"))[0] for f in (turned, plain))
    first = np.rot90(first, axes=(1, 2)).astype(int)
    assert np.abs(first - second).mean() < 1 < np.abs(first - np.rot90(second, axes=(1, 2))).mean()


def test_subtitles_languages_and_chapters_come_along(color, tmp_path):
    film = films.write_film(tmp_path / "film.mkv", films.drawn_frames(4), audio_tracks=1)
    with av.open(str(film)) as source, av.open(str(tmp_path / "full.mkv"), "w") as file:
        copies = {s.index: file.add_stream_from_template(s, opaque=True) for s in source.streams}
        copies[1].metadata["language"] = "deu"
        words = file.add_mux_stream("subrip")
        words.metadata["language"] = "fra"
        chapter = {"id": 1, "start": 0, "end": 80, "time_base": Fraction(1, 1000), "metadata": {}}
        file.set_chapters([chapter | {"metadata": {"title": "One"}}])
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream_index]
                file.mux(packet)
        packet = av.Packet(b"Bonjour")
        packet.stream, packet.pts, packet.dts, packet.duration = words, 40, 40, 80
        packet.time_base = Fraction(1, 1000)
        file.mux(packet)
    done = color(tmp_path / "full.mkv")
    with av.open(str(done)) as file:
        assert [s.type for s in file.streams] == ["video", "audio", "subtitle"]
        assert [s.language for s in list(file.streams)[1:]] == ["deu", "fra"]
        assert [c["metadata"]["title"] for c in file.chapters()] == ["One"]
    assert films.packets(done, "subtitle") == [b"Bonjour"]


@pytest.mark.parametrize("keep", [True, False])
def test_what_is_said_of_a_film_is_carried_over_or_stripped(color, tmp_path, keep):
    film = films.write_film(tmp_path / "film.mkv", films.drawn_frames(2))
    with av.open(str(film)) as source, av.open(str(tmp_path / "told.mkv"), "w") as file:
        file.metadata.update({"title": "Aunt Anna", "comment": "1931"})
        copy = file.add_stream_from_template(source.streams.video[0], opaque=True)
        copy.metadata.update({"language": "deu", "location": "Rome"})
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                file.mux(packet)
    done = color(tmp_path / "told.mkv", look=ColorizeOptions(keep_metadata=keep))
    with av.open(str(done)) as file:
        tags = {name.lower(): text for name, text in file.metadata.items()}
        stream = {n.lower(): text for n, text in file.streams.video[0].metadata.items()}
    assert ("title" in tags, tags["comment"].startswith("1931"), "location" in stream) == (
        keep,
    ) * 3
    assert stream["language"] == "deu"
    assert "pix2color" in tags["comment"]


def test_a_film_in_color_is_left_alone_unless_forced(color, tmp_path):
    random = np.random.default_rng(0)
    frames = [np.kron(random.integers(0, 255, (4, 6, 3)), np.ones((16, 16, 1))) for _ in range(5)]
    film = films.write_film(tmp_path / "film.mkv", [f.astype(np.uint8) for f in frames])
    with pytest.raises(HasColorError):
        color(film)
    assert [path.name for path in tmp_path.iterdir()] == ["film.mkv"]
    done = color(film, look=ColorizeOptions(force=True))
    assert np.array_equal(films.lumas(film)[3], films.lumas(done)[3])
    assert not np.array_equal(films.chromas(film)[3], films.chromas(done)[3])


def test_colors_keep_still_where_frames_alone_flicker(colorizer, tmp_path):
    random = np.random.default_rng(0)
    still = pan(1, size=(128, 96))[0]
    noisy = [(still + random.normal(0, 12, still.shape)).clip(0, 255) for _ in range(24)]
    film = films.write_film(tmp_path / "film.mkv", [f.astype(np.uint8) for f in noisy])

    def flicker(options):
        shown = [rgb for _, rgb in colorize_frames(film, colorizer, film_options=options)]
        chroma = np.stack([rgb - rgb.mean(2, keepdims=True) for rgb in shown])
        return np.abs(np.diff(chroma, axis=0)).mean(), np.abs(chroma).mean()

    (steady, colorful), (alone, as_colorful) = map(
        flicker, (FilmOptions(), FilmOptions(steady=False))
    )
    assert steady < 0.4 * alone
    assert colorful > 0.9 * as_colorful


def test_each_scene_begins_anew(colorizer, tmp_path):
    """The first frame after a cut has nothing of the colours before it."""
    first, second = (pan(8, size=(128, 96), photo=p) for p in ("astronaut.jpg", "coffee.jpg"))
    film = films.write_film(tmp_path / "film.mkv", first + second)
    alone = films.write_film(tmp_path / "second.mkv", second)
    cut = [rgb for _, rgb in colorize_frames(film, colorizer)][8:]
    for shown, expected in zip(
        cut, (rgb for _, rgb in colorize_frames(alone, colorizer)), strict=True
    ):
        assert np.abs(shown.astype(int) - expected).max() <= 1


def test_a_hint_moves_along_with_its_thing_until_the_cut(colorizer, tmp_path):
    """A dark square that moves over noise, red by one hint; then another scene."""
    random = np.random.default_rng(1)
    ground = random.normal(150, 12, (96, 128))
    frames = []
    for t in range(16):
        frame = ground.copy()
        frame[30:62, 10 + 4 * t : 42 + 4 * t] = 90 + 8 * np.sin(np.arange(32) / 2)
        frames.append(frame.clip(0, 255).astype(np.uint8))
    film = films.write_film(tmp_path / "film.mkv", frames + pan(6, size=(128, 96)))
    hint = FilmHint(Hint(26 + 4 * 5, 46, "#c01010"), seconds=5 / films.RATE)
    plain = [rgb.astype(int) for _, rgb in colorize_frames(film, colorizer)]
    red = [rgb.astype(int) for _, rgb in colorize_frames(film, colorizer, hints=[hint])]
    for t in range(16):
        gained = (red[t] - plain[t])[..., 0] - (red[t] - plain[t])[..., 1]
        assert gained[36:56, 16 + 4 * t : 36 + 4 * t].mean() > 15, t
    assert all(np.array_equal(a, b) for a, b in zip(red[16:], plain[16:], strict=True))


def test_hints_for_films_are_read_and_refused(colorizer, tmp_path):
    assert FilmHint.parse("12,30.5,#7a2e2e@1:02.5") == FilmHint(Hint(12, 30.5, "#7a2e2e"), 62.5)
    for text in ("12,30,red", "12,30,red@", "12,30,red@-1", "12,30,red@nan", "12,30,nocolour@1"):
        with pytest.raises(UsageError):
            FilmHint.parse(text)
    film = films.write_film(tmp_path / "film.mkv", films.drawn_frames(3))
    for hint in (FilmHint(Hint(5, 5, "red"), 60.0), FilmHint(Hint(500, 5, "red"), 0.0)):
        with pytest.raises(UsageError):
            list(colorize_frames(film, colorizer, hints=[hint]))


def test_a_preview_ends_early_with_its_sound(color, tmp_path):
    film = films.write_film(tmp_path / "film.mkv", films.drawn_frames(50), audio_tracks=1)
    done = color(film, options=FilmOptions(codec="ffv1", preview=0.6))
    assert len(films.times(done)) == 15
    assert 0.2 < len(films.packets(done, "audio")[0]) / len(films.packets(film, "audio")[0]) < 0.4


@pytest.mark.parametrize(
    ("codec", "name"), [("hevc", "c.mov"), ("vp9", "c.webm"), ("av1", "c.mkv"), ("h264", "c.m4v")]
)
def test_other_codecs(color, tmp_path, codec, name):
    frames = films.drawn_frames(5, (128, 96))
    film = films.write_film(tmp_path / "film.mkv", frames)
    done = color(film, name, FilmOptions(codec=codec))
    assert len(films.times(done)) == 5
    for before, after in zip(frames, films.lumas(done), strict=True):
        assert np.abs(before.astype(int) - after).mean() < 4


def test_what_cannot_be_read_or_written_is_refused_and_nothing_is_left(color, tmp_path):
    frames = films.drawn_frames(60, (320, 240))
    film = films.write_film(tmp_path / "film.mp4", frames, codec="libx264", audio_tracks=1)
    whole = film.read_bytes()
    sound = tmp_path / "sound.m4a"
    with av.open(str(film)) as source, av.open(str(sound), "w", format="mp4") as file:
        stream = file.add_stream_from_template(source.streams.audio[0], opaque=True)
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                file.mux(packet)
    broken = {
        "text.mp4": b"no film at all",
        "empty.mkv": b"",
        "cut.mp4": whole[: len(whole) * 2 // 3],
        "sound.mp4": sound.read_bytes(),
    }
    for name, content in broken.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ImageError):
            color(path, "colour.mp4")
    with pytest.raises(MissingPathError):
        color(tmp_path / "nowhere.mp4")
    for target in ("film.mp4", "colour.txt", "colour.webm"):
        with pytest.raises(UsageError):
            color(film, target, FilmOptions())
    assert film.read_bytes() == whole
    made = {"film.mp4", "sound.m4a", *broken}
    assert {path.name for path in tmp_path.iterdir()} == made


def test_a_truncated_film_is_refused_or_colored_as_far_as_it_goes(color, tmp_path):
    from pix2color.imaging.io import reading_limits

    film = films.write_film(tmp_path / "film.mkv", films.drawn_frames(200, (160, 120)))
    short = tmp_path / "short.mkv"
    short.write_bytes(film.read_bytes()[: film.stat().st_size // 3])
    with pytest.raises(ImageError):
        color(short)
    assert not (tmp_path / "colour.mkv").exists()
    with reading_limits(max_pixels=10**8, allow_truncated=True):
        assert 40 < len(films.times(color(short))) < 80


def test_a_hundred_sound_tracks(color, tmp_path):
    film = films.write_film(tmp_path / "film.mkv", films.drawn_frames(5), audio_tracks=100)
    done = color(film)
    assert films.packets(done, "audio") == films.packets(film, "audio")
    assert len(films.packets(done, "audio")) == 100
