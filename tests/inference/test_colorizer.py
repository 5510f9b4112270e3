"""The one inference object, with networks whose answer is known."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from pix2color import ColorizeOptions, Colorizer
from pix2color.color.lab import rgb_to_lab
from pix2color.errors import ImageError, ModelError, UsageError
from pix2color.inference.colorizer import BATCH
from pix2color.inference.network_input import ReducedPhoto, reduce_photo
from pix2color.models.base import Generator
from pix2color.models.header import ModelInfo
from pix2color.models.registry import build_generator
from pix2color.models.torch_network import TorchNetwork

INFO = ModelInfo("test", render_size=64)
CAMERA = Image.fromarray(data.camera())


def constant(L):
    ab = np.array([0.1, -0.2], np.float32)[:, None, None]
    return np.broadcast_to(ab, (len(L), 2, *L.shape[2:]))


def waves(L):
    """Colours that depend on the picture."""
    return np.concatenate([np.sin(L), np.cos(L) - 0.5], axis=1) * np.float32(0.4)


def lab(picture):
    return rgb_to_lab(torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None])[0]


class TestNetworkInput:
    @pytest.mark.parametrize(
        ("size", "seen"), [((400, 600), (64, 96)), ((90, 50), (115, 64)), ((500, 250), (128, 64))]
    )
    def test_it_sees_the_render_size_unsquashed(self, size, seen):
        prepared = reduce_photo(photo_of(np.zeros(size, np.uint8)), 64)
        assert prepared.network_input.shape == seen

    def test_the_size_of_training_is_the_default(self):
        colorizer = Colorizer(constant, INFO)
        assert colorizer.render_size() == 64
        assert colorizer.render_size(ColorizeOptions(render_size=200)) == 200

    def test_long_strips_stay_affordable(self):
        prepared = reduce_photo(photo_of(np.zeros((60, 60_000), np.uint8)), 64)
        assert prepared.network_input.size < 2.1e6

    def test_a_faded_photo_is_seen_as_contrasty_as_a_fresh_one_and_fog_as_it_is(self):
        camera = data.camera().astype(float)
        seen = []
        colorizer = Colorizer(lambda L: seen.append(L) or waves(L), INFO)
        for black, white in ((60, 213), (100, 255), (0, 200)):
            print_of_it = black + camera / 255 * (white - black)
            colorizer.colorize(Image.fromarray(print_of_it.round().astype(np.uint8)))
        faded, fog, dusk = ((L[0] + 1) * 50 for L in seen)
        assert faded.min() < 6
        assert faded.max() > 90
        assert fog.min() > 35
        assert dusk.max() < 85

    def test_padding_is_cut_off_again(self):
        sizes = []

        def network(L):
            sizes.append(L.shape[2:])
            return waves(L)

        colorizer = Colorizer(network, INFO)
        prepared = reduce_photo(photo_of(data.camera()[:300, :500]), 64)
        assert prepared.network_input.shape == (64, 107)
        (ab,) = colorizer.predict([prepared])
        assert sizes == [(64, 112)]
        assert ab.shape == (2, 32, 54)


def photo_of(gray):
    from pix2color.imaging.grayscale import GrayPhoto

    return GrayPhoto(gray)


class TestColorize:
    def test_the_colour_it_says_is_the_colour_it_gets(self):
        out = Colorizer(constant, INFO).colorize(np.full((40, 50), 130, np.uint8))
        assert (out.mode, out.size) == ("RGB", (50, 40))
        assert lab(out)[1:].mean((1, 2)).tolist() == pytest.approx([11, -22], abs=1)

    def test_every_source_gives_the_same(self, tmp_path):
        path = tmp_path / "a.png"
        CAMERA.save(path)
        colorizer = Colorizer(waves, INFO)
        first = np.asarray(colorizer.colorize(path))
        gray = data.camera()
        arrays = (gray, np.stack([gray] * 3, axis=-1), gray / 255, gray * np.uint16(257))
        sources = (str(path), path.read_bytes(), CAMERA, CAMERA.convert("RGB"), *arrays)
        for source in sources:
            assert np.array_equal(np.asarray(colorizer.colorize(source)), first)
        with path.open("rb") as file, tempfile.TemporaryFile() as nameless:
            assert np.array_equal(np.asarray(colorizer.colorize(file)), first)
            nameless.write(path.read_bytes())
            nameless.seek(0)
            assert np.array_equal(np.asarray(colorizer.colorize(nameless)), first)
        half = np.asarray(colorizer.colorize((gray / 255).astype(np.float16))).astype(int)
        assert np.abs(half - first).max() <= 2
        color = np.stack([gray / np.float32(255)] * 3, axis=-1)
        assert np.array_equal(np.asarray(colorizer.colorize(color)), first)

    def test_alpha_is_kept(self):
        picture = Image.merge("LA", [CAMERA, CAMERA.rotate(90)])
        out = Colorizer(constant, INFO).colorize(picture)
        assert out.mode == "RGBA"
        assert np.array_equal(np.asarray(out)[..., 3], np.asarray(CAMERA.rotate(90)))

    def test_wrong_sources_are_named(self, tmp_path):
        colorizer = Colorizer(constant, INFO)
        with pytest.raises(ImageError, match="none"):
            colorizer.colorize(tmp_path / "none.jpg")
        for array, told in (
            (np.full((4, 4), 1.5), r"\[0, 1\]"),
            (np.full((4, 4), np.nan), r"\[0, 1\]"),
            (np.zeros((4, 4, 2), np.uint8), "shape"),
            (np.zeros(4, np.uint8), "shape"),
            (np.zeros((0, 4), np.uint8), "shape"),
            ([1, 2], "list"),
            (None, "NoneType"),
            (np.zeros((4, 4), np.int64), "int64"),
            (np.zeros((4, 4, 3), np.uint16), "uint16"),
        ):
            with pytest.raises(ValueError, match=told):
                colorizer.colorize(array)
        with pytest.raises(ImageError, match="photo"):
            colorizer.colorize(b"no picture")

    def test_tta_averages_over_the_mirror_image(self):
        def leaning(L):
            """Colour on the left half only."""
            ab = np.zeros((len(L), 2, *L.shape[2:]), np.float32)
            ab[..., : L.shape[3] // 2] = 0.2
            return ab

        gray = np.full((64, 64), 130, np.uint8)
        out = lab(Colorizer(leaning, INFO).colorize(gray, ColorizeOptions(tta=True)))
        assert out[1:].mean((1, 2)).tolist() == pytest.approx([11, 11], abs=1)
        assert out[1:].std() < 1

    def test_options_change_colours_in_its_order(self):
        gray = np.full((40, 50), 130, np.uint8)
        colorizer = Colorizer(constant, INFO)
        out = colorizer.colorize(gray, ColorizeOptions(saturation=0.5, temperature=100))
        assert lab(out)[1:].mean((1, 2)).tolist() == pytest.approx([5.5 + 4, -11 + 16], abs=1.5)


class TestTrouble:
    def test_no_numbers_is_no_picture(self):
        def broken(L):
            return constant(L) * np.nan

        with pytest.raises(ModelError, match="NaN"):
            Colorizer(broken, INFO).colorize(CAMERA)

    def test_one_bad_photo_does_not_spoil_its_batch(self):
        def moody(L):
            return constant(L) * np.where(L.max((1, 2, 3), keepdims=True) > -1, 1, np.nan)

        colorizer = Colorizer(moody, INFO)
        grays = [np.full((64, 64), value, np.uint8) for value in (50, 0, 90)]
        batch = [ReducedPhoto(photo_of(gray), gray) for gray in grays]
        with pytest.raises(ModelError):
            colorizer.predict(batch)
        pipeline = colorizer.pipeline(
            lambda i: batch[i], lambda i, prepared, ab: ab, ColorizeOptions()
        )
        results = dict(pipeline.run(range(3)))
        assert isinstance(results[1], ModelError)
        assert results[0].shape == results[2].shape == (2, 32, 32)

    def test_too_little_memory_means_smaller_batches_then_an_error(self):
        sizes = []

        def hungry(most):
            def network(L):
                sizes.append(len(L))
                if len(L) > most:
                    raise MemoryError
                return constant(L)

            return network

        grays = [np.full((64, 64), 9, np.uint8)] * BATCH
        assert len(list(Colorizer(hungry(2), INFO).colorize_many(grays))) == BATCH
        assert sizes == [BATCH] + [1] * BATCH
        with pytest.raises(ModelError, match=r"out of memory.*--render-size"):
            list(Colorizer(hungry(0), INFO).colorize_many(grays))

    @pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
    def test_torch_out_of_memory_is_told_from_other_errors(self, error):
        class Hungry(Generator):
            def forward(self, L):
                raise error("DefaultCPUAllocator: can't allocate memory")

        class Wrong(Generator):
            def forward(self, L):
                raise error("shapes do not fit")

        with pytest.raises(ModelError, match="out of memory"):
            Colorizer(TorchNetwork(Hungry()), INFO).colorize(CAMERA)
        with pytest.raises(error, match="shapes"):
            Colorizer(TorchNetwork(Wrong()), INFO).colorize(CAMERA)

    @pytest.mark.parametrize("model", ["default", "a run"])
    def test_devices_that_are_not_there(self, model, pretrained):
        with pytest.raises(UsageError, match="abacus"):
            Colorizer.load(model if model == "default" else pretrained, "abacus")

    def test_a_damaged_model_is_refused(self, pretrained, tmp_path):
        data = bytearray((pretrained / "model.safetensors").read_bytes())
        data[-1000] ^= 1  # one bit of one weight
        path = tmp_path / "m.safetensors"
        path.write_bytes(data)
        with pytest.raises(ModelError, match=r"m\.safetensors: damaged"):
            Colorizer.load(path)


class TestParallel:
    @pytest.fixture
    def grays(self):
        camera = data.camera()
        return [np.ascontiguousarray(camera[i : i + 200 + 9 * i, i:]) for i in range(24)]

    def test_eight_threads_give_what_one_gives(self, pretrained, grays):
        colorizer = Colorizer.load(pretrained)
        alone = [np.asarray(colorizer.colorize(gray)) for gray in grays]
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(colorizer.colorize, grays))
        assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))

    def test_a_stream_is_in_order_and_the_same(self, pretrained, grays):
        colorizer = Colorizer.load(pretrained)
        stream = colorizer.colorize_many(iter(grays))
        for gray, out in zip(grays, stream, strict=True):
            assert out.size == gray.shape[::-1]
            alone = np.asarray(colorizer.colorize(gray)).astype(int)
            assert (np.abs(np.asarray(out) - alone) <= 1).mean() >= 0.999

    def test_a_stream_reads_ahead_a_little_only(self):
        taken = []

        def sources():
            for i in range(1000):
                taken.append(i)
                yield data.camera()[:64, :64]

        stream = Colorizer(constant, INFO).colorize_many(sources())
        next(stream)
        stream.close()
        assert len(taken) < 5 * BATCH

    def test_photos_of_a_kind_share_batches(self):
        sizes = []

        def network(L):
            sizes.append(len(L))
            return constant(L)

        pictures = [np.zeros((64, 64 + i), np.uint8) for i in range(1, 33)] * 2
        list(Colorizer(network, INFO).colorize_many(pictures))
        assert sum(sizes) == 64
        assert max(sizes) == BATCH
        assert len(sizes) <= 12

    def test_the_first_error_ends_a_stream(self, tmp_path):
        stream = Colorizer(constant, INFO).colorize_many([data.camera(), tmp_path / "none.jpg"])
        with pytest.raises(ImageError, match="none"):
            list(stream)


def test_importing_the_package_loads_nothing_heavy():
    import subprocess
    import sys

    script = (
        "import sys, pix2color\n"
        "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)\n"
        "from pix2color import Colorizer\n"
        "assert Colorizer.__name__ == 'Colorizer'\n"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_it_colours_in_a_process_that_was_forked_after_it_had_been_used():
    """OpenMP's helper threads do not come along: whoever waits for them waits for ever."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        colorizer = Colorizer(TorchNetwork(build_generator("cnn")), INFO)
        colorizer.colorize(CAMERA)
        child = get_context("fork").Process(target=colorizer.colorize, args=(CAMERA,))
        child.start()
        child.join(30)
        child.kill()
        assert child.exitcode == 0
    finally:
        torch.set_num_threads(threads)
