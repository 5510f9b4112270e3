"""What other programs have made of the photos: found by name, fitted, and judged beside ours."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from command_line import invoke
from conftest import colour_photos, one_line
from PIL import Image

from pix2color import metrics
from pix2color.data.sources import collect
from pix2color.errors import DataError, UsageError
from pix2color.evaluation.differences import difference
from pix2color.evaluation.papers import InceptionOfPapers, colorfulness_of_papers
from pix2color.evaluation.predictions import (
    PredictionFolder,
    folders_of_predictions,
    paired,
)
from pix2color.evaluation.protocol import evaluate
from pix2color.evaluation.squares import PROTOCOLS
from pix2color.evaluation.systems import GRAY, MODEL
from pix2color.imaging.io import from_array
from pix2color.inference.colorizer import Colorizer
from pix2color.models.base import Generator
from pix2color.models.header import ModelInfo
from pix2color.models.torch_network import TorchNetwork

# isort: split
from torchvision.models import Inception3


class Warm(Generator):
    """Warm where it is bright, cool where it is dark."""

    def forward(self, L):
        return L.expand(-1, 2, -1, -1) * 0.2


def colorizer() -> Colorizer:
    return Colorizer(TorchNetwork(Warm()), ModelInfo("test"))


def write(folder, names, side=24):
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (side, side), (9 * number, 200, 40)).save(path)
    return folder


@pytest.mark.parametrize(
    ("photos", "files"),
    [
        (["a.jpg", "b/a.jpg"], ["a.jpg", "b/a.jpg"]),
        (["a.jpg", "b/c.gif"], ["a.png", "b/c.png"]),
        (["a.gif", "a.png"], ["a.gif.png", "a.png"]),  # as colorize calls namesakes
        (["a.png", "b.png"], ["a-colour.jpg", "b-colour.jpg"]),  # and those beside
        (["x/a.jpg", "y/b.jpg"], ["a.png", "b.png"]),
        (["x/a.jpg", "y/a.jpg"], ["out/x/a.png", "out/y/a.png"]),
        (["a.jpg", "b.jpg"], ["run/a.png", "run/b.png"]),
        (["a.jpg", "sub/b.jpg"], ["a.png", "b.png"]),
        (["x/a.jpg", "y/a.jpg"], ["x/a.png", None, "z/a.png"]),  # z has another a
    ],
)
def test_pictures_are_known_by_the_photos_names(tmp_path, photos, files):
    truth = write(tmp_path / "truth", photos)
    made = write(tmp_path / "made", filter(None, files))
    found = paired(PredictionFolder("it", made), collect([truth]), [truth])
    expected = {
        str(truth / photo): made / file
        for photo, file in zip(photos, files[: len(photos)], strict=True)
        if file
    }
    assert found.of == expected


def test_beside_the_photos_themselves(tmp_path):
    both = write(tmp_path, ["a.png", "a-colour.jpg"])
    photos = [photo for photo in collect([both]) if photo.path.name == "a.png"]
    found = paired(PredictionFolder("it", both), photos, [both])
    assert found.of == {str(both / "a.png"): both / "a-colour.jpg"}


@pytest.mark.parametrize(
    ("photos", "files"),
    [
        (["a.jpg"], ["a.png", "a.webp"]),
        (["a.jpg", "a.png"], ["a.webp"]),
        (["x/a.jpg", "y/a.jpg"], ["a.png"]),
        (["a.jpg"], ["b.jpg"]),
    ],
)
def test_pairs_are_never_guessed(tmp_path, photos, files):
    truth, made = write(tmp_path / "truth", photos), write(tmp_path / "made", files)
    with pytest.raises(DataError, match=r"made"):
        paired(PredictionFolder("it", made), collect([truth]), [truth])


def test_folders_have_names_of_their_own(tmp_path):
    for name in ("out", "a=b", "gray"):
        (tmp_path / name).mkdir()
    texts = [str(tmp_path / "out"), str(tmp_path / "a=b"), f"x={tmp_path / 'out'}"]
    found = folders_of_predictions(texts, taken=(GRAY, MODEL))
    assert [folder.name for folder in found] == ["out", "a=b", "x"]
    for twice in ([texts[0], texts[0]], [str(tmp_path / "gray")], [f"={tmp_path / 'out'}"]):
        with pytest.raises(UsageError):
            folders_of_predictions(twice, taken=(GRAY, MODEL))


@pytest.fixture(scope="module")
def few(photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("few")
    for photo in photos.glob("*/1.png"):
        (folder / photo.parent.name).mkdir(exist_ok=True)
        shutil.copy(photo, folder / photo.relative_to(photos))
    return folder


@pytest.fixture(scope="module")
def made(few, tmp_path_factory):
    """What several programs would have made of the photos; and ours, of the squares it saw."""
    folder = tmp_path_factory.mktemp("made")
    ours = evaluate(colorizer(), [few], critic=False)
    names = [photo.path.relative_to(few) for photo in collect([few])]
    for name, square in zip(names, ours.kept.outputs[MODEL], strict=True):
        truth = Image.open(few / name)
        for system, picture in {
            "ours": from_array(square.numpy()),
            "luma": truth.convert("L").resize((64, 48)),
            "true": truth.resize((256, 192), Image.Resampling.BICUBIC),
            "squeezed": truth.resize((256, 256), Image.Resampling.BICUBIC),
            "centre": truth.crop((16, 0, 112, 96)),
        }.items():
            path = (folder / system / name).with_suffix(".jpg" if system == "luma" else ".png")
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)
    return folder


@pytest.fixture(scope="module")
def judged(few, made):
    folders = [PredictionFolder(p.name, p) for p in sorted(made.iterdir())]
    return evaluate(colorizer(), [few], predictions=folders, critic=False)


def test_our_own_pictures_have_our_own_figures(judged):
    ours, files = judged.rows[MODEL], judged.rows["ours"]
    close = {"psnr": 0.01, "ab_psnr": 0.02, "delta_e": 0.02, "delta_mean_ab": 0.02, "ssim": 1e-3}
    for name, most in {**close, "colorfulness_ratio": 2e-3, "auc": 1e-3, "washout": 0.01}.items():
        assert files[name] == pytest.approx(ours[name], abs=most), name
    assert 0 < files["delta_l"].value < 0.3  # they have 256 levels


def test_gray_pictures_have_the_figures_of_the_gray_row(judged):
    """Though they are luma, small, and JPEG: that is told by the luminance's measure alone."""
    for name, score in judged.rows["luma"].items():
        if name not in ("delta_l", "critic"):
            assert score == pytest.approx(judged.rows[GRAY][name], abs=1e-4), name
    assert judged.rows["luma"]["delta_l"].value > 0.5


def test_size_and_shape_do_not_matter(judged):
    for name in ("true", "squeezed", "centre"):
        assert judged.rows[name]["delta_e"].value < 1.5, name
        assert judged.rows[name]["colorfulness_ratio"].value == pytest.approx(1, abs=0.02)


def test_a_difference_is_of_the_same_photos(judged):
    found = difference(judged.systems["true"], judged.systems[MODEL])
    values = [[p["delta_e"] for p in judged.systems[s].pictures] for s in ("true", MODEL)]
    score = found.scores["delta_e"]
    assert found.photos == 4
    assert score.value == pytest.approx(np.mean(values[0]) - np.mean(values[1]))
    assert score.low < score.value < score.high < 0


def test_what_is_turned_by_a_note_is_judged_upright(tmp_path):
    upright = Image.fromarray(colour_photos()["coffee"]).resize((150, 100))
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("truth", "made", "sideways"):
        (tmp_path / name).mkdir()
    upright.rotate(90, expand=True).save(tmp_path / "truth" / "a.png", exif=exif)
    upright.save(tmp_path / "made" / "a.png")
    upright.rotate(90, expand=True).save(tmp_path / "sideways" / "a.png")
    made = [PredictionFolder("made", tmp_path / "made")]
    rows = evaluate(colorizer(), [tmp_path / "truth"], predictions=made, critic=False).rows
    assert rows["made"]["delta_e"].value < 0.01
    sideways = [PredictionFolder("s", tmp_path / "sideways")]
    with pytest.raises(DataError, match="100x150"):
        evaluate(colorizer(), [tmp_path / "truth"], predictions=sideways, critic=False)


@pytest.fixture(scope="module")
def incomplete(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("incomplete") / "they"
    shutil.copytree(made / "true", folder)
    (folder / "chelsea" / "1.png").unlink()
    (folder / "coffee" / "1.png").write_bytes(b"no picture")
    return folder


def test_what_is_missing_is_named_everywhere(few, incomplete, pretrained, tmp_path):
    words = ("evaluate", "--model", pretrained, "--data", few, "--no-critic", "--json")
    files = ("--csv", tmp_path / "a.csv", "--sheet", tmp_path / "a.png")
    result = invoke(*words, "--predictions", f"they={incomplete}", *files)
    assert result.returncode == 3
    missing, broken = str(few / "chelsea" / "1.png"), str(few / "coffee" / "1.png")
    assert missing in result.stderr
    assert str(incomplete / "coffee" / "1.png") in result.stderr
    with (tmp_path / "a.csv").open() as file:
        lines = [line for line in csv.DictReader(file) if line["system"] == "they"]
    notes = {line["photo"]: line["note"] for line in lines if line["note"]}
    assert len(lines) == 4
    assert notes[missing] == "missing"
    assert "1.png" in notes[broken]
    assert Image.open(tmp_path / "a.png").width == 2 * (4 * 262 + 18) - 12
    told = json.loads(result.stdout)["predictions"]["they"]
    assert (told["photos"], told["missing"], list(told["unusable"])) == (2, [missing], [broken])
    assert told["less_model"]["photos"] == 2


def test_what_colorize_writes_is_found_and_has_a_page(tmp_path):
    truth, out = tmp_path / "truth", tmp_path / "out"
    truth.mkdir()
    for name, pixels in colour_photos().items():
        if name != "rocket":  # faded: colorize shows it to the model with full contrast
            Image.fromarray(pixels[40:296, 80:336]).save(truth / f"{name}.png")
    assert invoke("colorize", truth, "--force", "--out", out).returncode == 0
    words = ("evaluate", "--data", truth, "--no-critic", "--predictions", out)
    result = invoke(*words, "--report", tmp_path / "report", "--samples", 2, "--by-folder")
    assert result.returncode == 0, result.stderr
    (counts,) = (x for x in result.stdout.splitlines() if x.startswith("photos "))
    assert counts.split() == ["photos", "3", "3", "3"]
    found = json.loads((tmp_path / "report" / "results.json").read_text())
    ours, files = (found["systems"][name]["scores"] for name in (MODEL, "out"))
    assert files["psnr"][0] == pytest.approx(ours["psnr"][0], abs=0.1)
    assert files["delta_e"][0] == pytest.approx(ours["delta_e"][0], abs=0.1)
    page = (tmp_path / "report" / "index.html").read_text()
    assert ">out" in page
    assert "Costs" not in page


def reference_colorfulness(rgb: np.ndarray) -> float:
    """As CT2's and DDColor's code computes it, of uint8 (H, W, 3)."""
    r, g, b = np.moveaxis(rgb.astype(float), 2, 0)
    rg, yb = np.absolute(r - g), np.absolute(0.5 * (r + g) - b)
    deviation = np.sqrt(np.std(rg) ** 2 + np.std(yb) ** 2)
    return deviation + 0.3 * np.sqrt(np.mean(rg) ** 2 + np.mean(yb) ** 2)


def test_the_papers_colourfulness_has_no_signs():
    for pixels in colour_photos().values():
        planes = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]
        theirs = colorfulness_of_papers(planes).item()
        assert theirs == pytest.approx(reference_colorfulness(pixels))
        assert theirs < metrics.colorfulness(planes / 255).item()


def test_the_papers_protocol_judges_pictures_as_they_are(few, made, tmp_path, capsys):
    Image.fromarray(colour_photos()["coffee"]).convert("L").save(tmp_path / "gray.png")
    folders = [PredictionFolder(name, made / name) for name in ("luma", "true")]
    found = evaluate(colorizer(), [few, tmp_path], predictions=folders, protocol=PROTOCOLS["val5k"])
    assert "FID left out" in capsys.readouterr().err
    assert found.photos == 5  # a gray one counts, too
    assert set(found.rows["luma"]) == {"psnr", "cf", "true_cf", "delta_cf"}
    assert found.rows["luma"]["cf"].value == 0
    assert found.rows["luma"]["psnr"].value < found.rows[GRAY]["psnr"].value
    truth = found.rows["true"]
    assert truth["delta_cf"].value < 0.5
    assert truth["cf"].value == pytest.approx(truth["true_cf"].value, abs=0.5)


@pytest.mark.parametrize("name", ["val5k", "val50k"])
def test_squares_of_the_papers(name):
    photo = Image.fromarray(colour_photos()["coffee"])  # 600 x 400
    square = PROTOCOLS[name].cut(photo, photo.size)
    box = (100, 0, 500, 400) if name == "val5k" else (0, 0, 600, 400)
    expected = photo.crop(box).resize((256, 256), Image.Resampling.BILINEAR)
    apart = np.abs(square.transpose(1, 2, 0).astype(int) - np.asarray(expected))
    assert apart.max() == 0 if name == "val5k" else apart.mean() < 5


@pytest.mark.slow
def test_the_papers_fid(tmp_path, few, made, monkeypatch):
    """With a network as new: what is no colour is further away."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = tmp_path / "hub" / "checkpoints" / "inception_v3_google-1a9a5a14.pth"
    weights.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(Inception3(init_weights=False).state_dict(), weights)
    features = InceptionOfPapers(weights)(torch.zeros(2, 3, 256, 256, dtype=torch.uint8))
    assert features.shape == (2, 2048)
    folders = [PredictionFolder("true", made / "true")]
    found = evaluate(colorizer(), [few], predictions=folders, protocol=PROTOCOLS["val5k"])
    assert np.isnan(found.rows["true"]["fid"].value)  # of too few


@pytest.mark.parametrize(
    "words",
    [
        ("--predictions", "nowhere"),
        ("--predictions", "PHOTOS", "--input", "film"),
        ("--protocol", "val5k", "--hints", "0,1"),
        ("--protocol", "val5k", "--critic"),
        ("--protocol", "val50k", "--perceptual", "encoder"),
        ("--protocol", "val5k", "--by-folder"),
    ],
)
def test_what_means_nothing_is_refused(photos, words):
    words = [str(photos) if word == "PHOTOS" else word for word in words]
    one_line(invoke("evaluate", "--data", photos, *words), 2)


def test_a_folder_with_nothing_of_the_photos_is_one_line(photos, tmp_path):
    write(tmp_path, ["strange.png"])
    one_line(invoke("evaluate", "--data", photos, "--predictions", tmp_path), 1)
