"""One contract for every generator, and what is particular to each network."""

import copy
import io
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from pix2color.errors import ConfigError, MissingPathError, ModelError
from pix2color.models.encoders import resnet18_gray
from pix2color.models.generators.slim_unet import icnr_
from pix2color.models.generators.unet import AttentionGate
from pix2color.models.header import ModelInfo
from pix2color.models.model_file import load_model, save_model
from pix2color.models.registry import GENERATORS, build_discriminator, build_generator

# isort: split
from torchvision.models import resnet18, resnet34

OTHER_ENCODERS = ("tf_efficientnet_lite1", "tf_efficientnet_lite2", "resnet18")


@pytest.fixture(
    scope="module",
    params=[(name, {}) for name in GENERATORS]
    + [("unet-timm", {"encoder": encoder}) for encoder in OTHER_ENCODERS],
    ids=lambda built: "-".join([built[0], *built[1].values()]),
)
def built(request):
    return request.param


@pytest.fixture(scope="module")
def name(built):
    return built[0]


@pytest.fixture(scope="module")
def generator(built):
    torch.manual_seed(0)
    return build_generator(*built).eval()


def one_hint(L: torch.Tensor) -> torch.Tensor:
    hints = L.new_zeros(len(L), 3, *L.shape[2:])
    hints[:, :, 20:24, 10:14] = torch.tensor([0.4, -0.2, 1]).view(3, 1, 1)
    return hints


def gray(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


class TestEveryGenerator:
    @pytest.mark.parametrize("size", [(64, 64), (65, 99), (33, 130), (1, 1), (7, 200)])
    def test_any_size_comes_out_as_it_went_in(self, generator, size):
        with torch.no_grad():
            ab = generator(gray(2, 1, *size))
        assert ab.shape == (2, 2, *size)
        assert ab.isfinite().all()

    def test_gradients_reach_every_parameter(self, generator):
        model = copy.deepcopy(generator).train()
        with torch.no_grad():
            for p in model.parameters():
                if not p.any():  # timm starts residual branches at zero
                    p.fill_(0.1)
        L = gray(2, 1, 64, 64)
        given = (L, one_hint(L)) if model.takes_hints else (L,)
        model(*given).square().mean().backward()
        missing = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
        assert not missing

    def test_an_all_gray_start_is_near(self, generator, name):
        if name in ("unet-resnet18", "unet-timm"):
            assert generator(gray(2, 1, 64, 64)).abs().mean() < 0.1

    def test_copies_after_a_forward_pass_are_independent(self, generator):
        model = copy.deepcopy(generator).train()
        x = gray(1, 1, 64, 64)
        model(x).mean().backward()
        twin = copy.deepcopy(model).eval()
        before = twin(x)
        with torch.no_grad():
            for p in model.parameters():
                p.zero_()
        assert torch.equal(twin(x), before)

    def test_no_hints_and_empty_hints_are_the_same(self, generator):
        if generator.takes_hints:
            L = gray(2, 1, 65, 99)
            with torch.no_grad():
                assert torch.equal(generator(L), generator(L, torch.zeros(2, 3, 65, 99)))

    def test_a_saved_model_is_the_same_model(self, generator, built, name, tmp_path):
        path = tmp_path / "m.safetensors"
        info = ModelInfo(*built, step=3, scores={"psnr": 20.5})
        save_model(path, generator, info)
        loaded, info = load_model(path)
        x = gray(1, 1, 65, 64)
        assert torch.equal(loaded(x), generator(x))
        assert not loaded.training
        assert (info.architecture, info.step, info.scores) == (name, 3, {"psnr": 20.5})
        assert info.takes_hints == generator.takes_hints

    @pytest.mark.slow
    def test_export_takes_all_multiples_of_32(self, generator):
        height = torch.export.Dim("height", min=2, max=16)
        width = torch.export.Dim("width", min=2, max=16)
        program = torch.export.export(
            generator,
            (gray(1, 1, 96, 128),),
            dynamic_shapes={"L": {2: 32 * height, 3: 32 * width}},
        )
        buffer = io.BytesIO()
        torch.export.save(program, buffer)
        buffer.seek(0)
        x = gray(1, 1, 160, 64)
        with torch.no_grad():
            again = torch.export.load(buffer).module()(x)
            assert torch.allclose(again, generator(x), atol=1e-5)

    def test_threads_do_not_mix_up_their_pictures(self, generator):
        pictures = [gray(1, 1, 64, 64).roll(i, 3) for i in range(8)]
        with torch.no_grad():
            expected = [generator(p) for p in pictures]
            with ThreadPoolExecutor(4) as pool:
                outputs = list(pool.map(generator.__call__, pictures))
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(outputs, expected, strict=True))


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_sizes_are_those_of_the_documentation():
    assert parameters(build_generator("unet-resnet18")) == pytest.approx(14.6e6, rel=0.01)
    assert parameters(build_generator("dynamic-unet-resnet18")) == 31_099_672


def test_unets_are_the_published_ones():
    """The reference counts have other channels in and out: 3 to 2, and 3 to 1."""
    fewer_in = 2 * 64 * 9  # of the U-Net of milesial/Pytorch-UNet, with transposed convolutions
    assert parameters(build_generator("unet")) == 31_037_698 - fewer_in
    assert parameters(build_generator("unet-plus-plus")) == pytest.approx(9.04e6, rel=0.005)


def test_the_autoencoder_has_the_reported_number_of_parameters():
    generator = build_generator("autoencoder")
    trainable = [p.numel() for p in generator.parameters() if p.requires_grad]
    assert sum(trainable) == 1_329_730


@pytest.mark.parametrize("name", ["unet", "unet-plus-plus", "cunet", "cnn", "autoencoder"])
def test_padding_repeats_the_edge_and_is_cropped(name):
    torch.manual_seed(0)
    generator = build_generator(name).eval()
    x = gray(1, 1, 48, 64)
    with torch.no_grad():
        edge_repeated = generator(x[:, :, :, [*range(61), 60, 60, 60]])
        torch.testing.assert_close(generator(x[:, :, :, :61]), edge_repeated[:, :, :, :61])


class TestUNet:
    @pytest.mark.parametrize("options", [{"attention": True}, {"activation": "leaky_relu"}])
    def test_its_variants_learn(self, options):
        torch.manual_seed(0)
        generator = build_generator("unet", {"width": 4, **options}).train()
        assert generator(gray(2, 1, 33, 50)).shape == (2, 2, 33, 50)
        generator(gray(2, 1, 64, 64)).square().mean().backward()
        missing = [n for n, p in generator.named_parameters() if p.grad is None or not p.grad.any()]
        assert not missing

    def test_leaky_relu_keeps_what_is_negative(self):
        generator = build_generator("unet", {"width": 4, "activation": "leaky_relu"})
        assert not any(isinstance(m, nn.ReLU) for m in generator.modules())
        assert generator.down[0](gray(1, 1, 32, 32)).min() < 0

    def test_a_closed_gate_lets_nothing_of_a_skip_through(self):
        torch.manual_seed(0)
        gate = AttentionGate(4, 8)
        gate.out = nn.Identity()
        skip, gating = gray(1, 4, 32, 32), gray(1, 8, 16, 16)
        with torch.no_grad():
            gate.weight.bias.fill_(-100)
            assert gate(skip, gating).abs().max() == 0
            gate.weight.bias.fill_(100)
            assert torch.equal(gate(skip, gating), skip)

    def test_an_unknown_activation_is_refused(self):
        with pytest.raises(ConfigError, match="activation must be relu or leaky_relu"):
            build_generator("unet", {"activation": "gelu"})


def seen(generator: nn.Module, side: int) -> int:
    """Side of the square of the input that the middle pixel's colour depends on."""
    x = gray(1, 1, side, side).requires_grad_()
    generator.double().eval()(x.double())[0, 0, side // 2, side // 2].backward()
    columns = x.grad[0, 0].abs().sum(0).nonzero()
    return int(columns.max() - columns.min() + 1)


def test_cunet_sees_as_far_as_a_unet_though_it_halves_the_size_twice():
    torch.manual_seed(0)
    generator = build_generator("cunet", {"width": 4})
    halvings = sum(isinstance(m, nn.ConvTranspose2d) for m in generator.modules())
    assert halvings == 2
    assert seen(generator, 512) > 240


def test_pix2pix_is_the_published_unet_256_but_for_its_channels():
    """Published: 54.414 M from 3 to 3 channels; two less come in, and one less goes out."""
    kernel, width = 4 * 4, 64
    fewer_in = 2 * width * kernel
    fewer_out = 2 * width * kernel + 1
    assert parameters(build_generator("pix2pix-unet256")) + fewer_in + fewer_out == 54_413_955


def test_pix2pix_trains_on_one_picture_whose_innermost_map_is_one_pixel():
    torch.manual_seed(0)
    generator = build_generator("pix2pix-unet256", {"width": 8, "dropout": True}).train()
    x = gray(1, 1, 256, 256)
    inside = x
    for layer in generator.down:
        inside = layer(inside)
    assert inside.shape[2:] == (1, 1)
    assert not torch.equal(generator(x), generator(x))  # dropout
    assert torch.equal(generator.eval()(x), generator(x))
    assert generator(100 * x).abs().max() <= 1


def test_pix2pix_pads_what_does_not_fit_by_its_edge():
    torch.manual_seed(0)
    generator = build_generator("pix2pix-unet256", {"width": 8}).eval()
    x = gray(1, 1, 300, 200)
    padded = nn.functional.pad(x, (0, 56, 0, 212), mode="replicate")
    assert torch.equal(generator(x), generator(padded)[:, :, :300, :200])


def test_dynamic_unet_computes_what_fastais_own_does():
    from fastai.vision.learner import create_body
    from fastai.vision.models.unet import DynamicUnet

    torch.manual_seed(0)
    body = create_body(resnet18_gray("none"), pretrained=False, cut=-2)
    theirs = DynamicUnet(body, 2, (256, 256)).eval()
    ours = build_generator("dynamic-unet-resnet18").eval()
    pairs = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
    with torch.no_grad():
        for mine, other in pairs:
            mine.copy_(other)
        for size in ((64, 64), (71, 97)):
            x = gray(1, 1, *size)
            assert torch.equal(ours(x), theirs(x).as_subclass(torch.Tensor))


def test_icnr_starts_as_nearest_neighbour():
    conv = nn.Conv2d(8, 12, 1, bias=False)
    icnr_(conv.weight)
    enlarged = nn.PixelShuffle(2)(conv(torch.randn(1, 8, 4, 4)))
    blocks = enlarged.unfold(2, 2, 2).unfold(3, 2, 2)
    assert torch.allclose(blocks, blocks[..., :1, :1].expand_as(blocks))


class TestEncoderWeights:
    def test_rgb_weights_give_what_they_gave_for_gray(self, tmp_path):
        torch.manual_seed(0)
        rgb = resnet18().eval()
        path = tmp_path / "resnet18.pth"
        torch.save(rgb.state_dict(), path)
        gray_net = resnet18_gray(str(path)).eval()
        x = gray(2, 1, 64, 64)
        expected = rgb.avgpool(_features(rgb, x.expand(-1, 3, -1, -1)))
        assert torch.allclose(gray_net.avgpool(_features(gray_net, x)), expected, atol=1e-4)

    @pytest.mark.parametrize("name", ["unet-resnet18", "dynamic-unet-resnet18"])
    def test_they_arrive_in_the_generator(self, tmp_path, name):
        source = resnet18()
        path = tmp_path / "resnet18.pth"
        torch.save({"state_dict": source.state_dict()}, path)
        state = build_generator(name, encoder_weights=str(path)).state_dict()
        wanted = source.layer3[0].conv1.weight
        assert any(v.shape == wanted.shape and torch.equal(v, wanted) for v in state.values())

    def test_imagenet_is_torchvisions_own_loading(self, monkeypatch, tmp_path):
        """The file that torchvision would have downloaded, put into its cache."""
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        source = resnet18()
        cache = tmp_path / "hub" / "checkpoints"
        cache.mkdir(parents=True)
        torch.save(source.state_dict(), cache / "resnet18-f37072fd.pth")
        loaded = resnet18_gray("imagenet")
        assert torch.equal(loaded.layer4[1].conv2.weight, source.layer4[1].conv2.weight)

    def test_what_is_no_resnet18_is_refused(self, tmp_path):
        other = tmp_path / "resnet34.pth"
        torch.save(resnet34().state_dict(), other)
        text = tmp_path / "text.pth"
        text.write_text("hello")
        for path in (other, text):
            with pytest.raises(ModelError, match=path.name):
                resnet18_gray(str(path))
        with pytest.raises(MissingPathError, match="imagnet"):
            resnet18_gray("imagnet")


def _features(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
    return net.layer4(net.layer3(net.layer2(net.layer1(x))))


class TestPatchGAN:
    @pytest.mark.parametrize("norm", ["spectral", "batch"])
    def test_a_logit_sees_70_pixels(self, norm):
        torch.manual_seed(0)
        critic = build_discriminator("patchgan", {"norm": norm}).eval()
        x = torch.randn(1, 3, 256, 256, requires_grad=True)
        logits = critic(x)
        assert logits.shape == (1, 1, 30, 30)
        logits[0, 0, 15, 15].backward()
        seen = x.grad[0].abs().sum(0).nonzero()
        assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [70, 70]

    def test_spectral_norm_bounds_every_layer(self):
        torch.manual_seed(0)
        critic = build_discriminator("patchgan").train()
        for _ in range(30):
            critic(torch.randn(2, 3, 64, 64))
        for layer in critic:
            if isinstance(layer, nn.Conv2d):
                largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
                assert largest.item() == pytest.approx(1, abs=0.05)

    def test_norm_layers(self):
        kinds = {
            norm: [type(m) for m in build_discriminator("patchgan", {"norm": norm}).modules()]
            for norm in ("spectral", "batch")
        }
        assert nn.BatchNorm2d not in kinds["spectral"]
        assert kinds["batch"].count(nn.BatchNorm2d) == 3


def test_unknown_names_and_options_are_refused():
    with pytest.raises(ConfigError, match="known are: unet-resnet18"):
        build_generator("u-net")
    with pytest.raises(ConfigError, match=r"no option 'depth'; it has: .*widths"):
        build_generator("unet-resnet18", {"depth": 3})
    with pytest.raises(ConfigError, match="must be 4 numbers"):
        build_generator("unet-resnet18", {"widths": [64, 64, 64]})
    with pytest.raises(ConfigError, match="leave encoder_weights none"):
        build_generator("pix2pix-unet256", encoder_weights="imagenet")
    with pytest.raises(ConfigError, match="patchgan"):
        build_discriminator("pixelgan")
