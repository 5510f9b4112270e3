"""The toolkit's reference generator: a UNet with a ResNet18 encoder and a slim decoder."""

from __future__ import annotations

from torch import Tensor, nn

from pix2color.models.encoders import resnet18_gray
from pix2color.models.generators.slim_unet import SlimUNet

_FEATURES = (64, 64, 128, 256, 512)


class UNetResNet18(SlimUNet):
    """ResNet18 encoder (He et al. 2016) and the slim decoder.

    Args:
        encoder_weights: see ``encoders.resnet18_gray``.
        widths: channels after each of the four decoder stages.
        hints: whether it takes hints.
        doubt: whether it predicts its own error, too; ``pix2color train-doubt`` adds that.
    """

    def __init__(
        self,
        encoder_weights: str = "none",
        widths: tuple[int, int, int, int] = (384, 192, 96, 64),
        *,
        hints: bool = False,
        doubt: bool = False,
    ) -> None:
        super().__init__()
        resnet = resnet18_gray(encoder_weights)
        self.stem = nn.Sequential(resnet.conv1, resnet.bn1, resnet.relu)
        self.pool = resnet.maxpool
        self.encoder = nn.ModuleList([resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4])
        self.add_decoder(_FEATURES, widths, hints=hints, doubt=doubt)

    def encoder_parameters(self) -> list[nn.Parameter]:
        return [*self.stem.parameters(), *self.encoder.parameters()]

    def encode(self, L: Tensor) -> list[Tensor]:
        x = self.stem(L)
        features = [x]
        x = self.pool(x)
        for layer in self.encoder:
            x = layer(x)
            features.append(x)
        return features
