"""Hints about the colours of a photo, in Python and on the command line."""

import json

import numpy as np
import pytest
import torch
from command_line import invoke
from conftest import one_line
from PIL import Image
from skimage import color, data

from pix2color import ColorizeOptions, Colorizer, Hint
from pix2color.errors import UsageError
from pix2color.imaging.grayscale import gray_photo
from pix2color.inference.hints import read_hints
from pix2color.inference.network_input import reduce_photo
from pix2color.models.header import ModelInfo
from pix2color.models.model_file import save_model
from pix2color.models.registry import build_generator

INFO = ModelInfo("test", render_size=64, takes_hints=True)
CAMERA = Image.fromarray(data.camera())


class Told:
    """A network that colours everything as it is told, and remembers what that was."""

    def __init__(self):
        self.hints = []

    def __call__(self, L, *hints):
        self.hints += hints
        ab = np.zeros((len(L), 2, *L.shape[2:]), np.float32)
        for given in hints:
            share = given[:, 2:].sum((2, 3), keepdims=True).clip(min=1)
            ab += (given[:, :2] * given[:, 2:]).sum((2, 3), keepdims=True) / share
        return ab


def test_the_network_gets_place_and_colour():
    network = Told()
    picture = CAMERA.resize((600, 400))
    colored = Colorizer(network, INFO).colorize(picture, hints=[Hint(450, 100, "#7a2e2e")])
    (hints,) = network.hints
    rows, columns = hints[0, 2].nonzero()
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (15, 17, 71, 73)
    wanted = color.rgb2lab(np.array([[[0x7A, 0x2E, 0x2E]]], np.uint8))[0, 0, 1:]
    np.testing.assert_allclose(hints[0, :2, 16, 72] * 110, wanted, atol=0.05)
    middle = color.rgb2lab(np.asarray(colored)[150:250, 250:350])
    assert middle[..., 1].mean() > 10  # and so gets red


def test_places_are_those_of_the_upright_photo(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    path = tmp_path / "turned.jpg"
    CAMERA.resize((600, 400)).save(path, exif=exif)
    network = Told()
    colored = Colorizer(network, INFO).colorize(path, hints=[Hint(399, 0, "blue")])
    assert colored.size == (400, 600)
    assert network.hints[0][0, 2, 0, 63] == 1
    assert network.hints[0].shape == (1, 3, 96, 64)


def test_a_mirrored_look_sees_mirrored_hints():
    network = Told()
    options = ColorizeOptions(tta=True)
    Colorizer(network, INFO).colorize(CAMERA, options, hints=[Hint(10, 10, "teal")])
    straight, mirrored = network.hints
    assert np.array_equal(straight, mirrored[..., ::-1])


def test_photos_with_and_without_hints_share_a_batch():
    colorizer = Colorizer(network := Told(), INFO)
    photo = gray_photo(CAMERA)
    colorizer.predict([reduce_photo(photo, 64, [Hint(1, 1, "red")]), reduce_photo(photo, 64)])
    assert network.hints[0][0, 2].sum() == 9
    assert not network.hints[0][1].any()


@pytest.mark.parametrize("place", [(-1, 5), (5, 512), (512, 5), (5, 1e9)])
def test_a_hint_outside_of_the_photo_is_refused(place):
    with pytest.raises(UsageError, match=r"outside.*512"):
        Colorizer(Told(), INFO).colorize(CAMERA, hints=[Hint(*place, "red")])


def test_a_model_that_takes_none_says_so():
    with pytest.raises(UsageError, match="takes none"):
        Colorizer(Told(), ModelInfo("test")).colorize(CAMERA, hints=[Hint(1, 1, "red")])


@pytest.mark.parametrize("text", ["", "1,2", "a,2,red", "1,2,redd", "1,2,#12", "nan,1,red"])
def test_what_is_no_hint_is_refused(text):
    with pytest.raises(UsageError, match="hint"):
        Hint.parse(text)


def test_colours_may_be_written_in_every_usual_way():
    ways = ("122,46,46", "#7a2e2e", "rgb(122, 46, 46)")
    assert {Hint.parse(f"1,2.5,{way}").rgb for way in ways[1:]} == {(122, 46, 46)}


@pytest.mark.parametrize(
    "text", ["", "{", "3", "[1]", '[{"x": 1}]', '[{"x": 1, "y": "2", "color": "red"}]', "\xff"]
)
def test_a_file_that_holds_no_hints_is_named(tmp_path, text):
    path = tmp_path / "photo.hints.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=r"photo\.hints\.json"):
        read_hints(path)


class TestCommand:
    @pytest.fixture
    def model(self, tmp_path):
        torch.manual_seed(0)
        options = {"widths": [8, 8, 8, 8]}
        generator = build_generator("unet-timm", options).eval()
        with torch.no_grad():
            generator.head.weight.normal_(0, 0.3)
        path = tmp_path / "model.safetensors"
        save_model(path, generator, ModelInfo("unet-timm", options, render_size=64))
        return path

    @pytest.fixture
    def photo(self, tmp_path):
        path = tmp_path / "camera.png"
        CAMERA.save(path)
        return path

    def colorize(self, model, *words):
        return invoke("colorize", "--model", model, "--device", "cpu", *words)

    def test_hints_change_the_colours(self, model, photo, tmp_path):
        results = {}
        for name, words in {
            "plain": [],
            "one": ["--hint", "250,100,#2050ff"],
            "two": ["--hint", "250,100,#2050ff", "--hint", "100,400,orange"],
        }.items():
            result = self.colorize(model, photo, "--out", tmp_path / name, *words)
            assert result.returncode == 0, result.stderr
            results[name] = (tmp_path / name / "camera.png").read_bytes()
        assert len(set(results.values())) == 3

    def test_the_file_beside_a_photo_is_read_and_its_change_noticed(self, model, photo, tmp_path):
        def run():
            result = self.colorize(model, photo.parent, "--out", tmp_path / "out", "--json")
            assert result.returncode == 0, result.stderr
            (outcome,) = json.loads(result.stdout)
            return outcome["status"], (tmp_path / "out" / "camera.png").read_bytes()

        hints = photo.with_name("camera.hints.json")
        status, plain = run()
        hints.write_text(json.dumps([{"x": 250, "y": 100, "color": "#2050ff"}]))
        again, hinted = run()
        assert (status, again) == ("coloured", "coloured")
        assert hinted != plain
        assert run() == ("done", hinted)
        given = self.colorize(
            model, photo, "--out", tmp_path / "other", "--hint", "250,100,#2050ff"
        )
        assert given.returncode == 0
        assert (tmp_path / "other" / "camera.png").read_bytes() != plain

    @pytest.mark.parametrize(
        ("words", "code"),
        [
            (["--hint", "250,100,#20zz"], 2),
            (["--hint", "250"], 2),
            (["--hint", "2500,100,red"], 1),
        ],
    )
    def test_wrong_hints_are_refused_and_nothing_is_written(
        self, model, photo, tmp_path, words, code
    ):
        result = self.colorize(model, photo, "--out", tmp_path / "out", *words)
        assert result.returncode == code
        assert "hint" in result.stderr
        assert not (tmp_path / "out" / "camera.png").exists()

    def test_a_hint_is_about_one_photo(self, model, photo, tmp_path):
        words = ("--out", tmp_path / "out", "--hint", "1,1,red")
        line = one_line(self.colorize(model, photo.parent, *words), 2)
        assert ".hints.json" in line

    def test_a_broken_file_of_hints_spoils_one_photo(self, model, photo, tmp_path):
        CAMERA.save(photo.with_name("second.png"))
        photo.with_name("second.hints.json").write_text("no")
        result = self.colorize(model, photo.parent, "--out", tmp_path / "out")
        assert result.returncode == 3
        assert "second.hints.json" in result.stderr
        assert (tmp_path / "out" / "camera.png").exists()


def test_the_curve_of_an_evaluation(photos, tmp_path):
    options = {"widths": [8, 8, 8, 8]}
    path = tmp_path / "model.safetensors"
    save_model(path, build_generator("unet-timm", options), ModelInfo("unet-timm", options))
    words = ("evaluate", "--model", path, "--data", photos, "--no-critic", "--json")
    result = invoke(*words, "--hints", "0,5")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert list(found["hints"]) == ["0", "5"]
    for name in ("psnr", "delta_e"):  # none given is what the evaluation itself does
        assert found["hints"]["0"][name] == pytest.approx(found["rows"]["model"][name], abs=2e-3)
    assert found["hints"]["5"]["psnr"] != found["hints"]["0"]["psnr"]
    refused = invoke(*words, "--hints", "0,many")
    assert refused.returncode == 2
    assert "--hints" in refused.stderr
