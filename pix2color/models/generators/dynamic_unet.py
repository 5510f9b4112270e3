"""fastai's DynamicUnet on ResNet18: the generator of the well-known colourization tutorial."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pix2color.models.base import Generator
from pix2color.models.encoders import resnet18_gray

_SKIPS = (6, 5, 4, 2)  # layers of the encoder after which the size changes, deepest first


class DynamicUNetResNet18(Generator):
    """``create_body`` and ``DynamicUnet`` of fastai, 31.1 M parameters.

    From M. Shariatnia's tutorial "Colorizing black & white images with U-Net and conditional
    GAN" (2020). Layers, initialisation and results are fastai's; only the forward pass is
    written out here. fastai's own hands the skips over through hooks and a tensor attribute,
    which breaks export, deepcopy after a forward pass, and use from several threads.

    Args:
        encoder_weights: see ``encoder.resnet18_gray``.
        size: side of the square that the layers are laid out for; any size can be put in.

    Raises:
        ValueError: the size is not 32 to 1024: to lay them out, fastai computes a picture of it.
    """

    def __init__(self, encoder_weights: str = "none", size: int = 256) -> None:
        super().__init__()
        if not 32 <= size <= 1024:
            raise ValueError(f"size must be 32 to 1024. Got {size}")
        resnet = resnet18_gray(encoder_weights)  # also makes torchvision importable for fastai
        # Here, not above: importing fastai takes seconds, and other networks do not need it.
        from fastai.vision.learner import create_body
        from fastai.vision.models.unet import DynamicUnet

        unet = DynamicUnet(create_body(resnet, pretrained=False, cut=-2), 2, (size, size))
        unet.sfs.remove()
        layers = list(unet.layers)
        self.encoder, self.middle = layers[0], nn.Sequential(*layers[1:4])
        self.blocks = nn.ModuleList(layers[4:8])
        self.shuffle = layers[8]
        # Layers 9 and 10, ResizeToOrig and MergeLayer, are in forward(); the closing
        # ToTensorBase only changes the type of the tensor.
        self.tail = nn.Sequential(*layers[11:13])
        for block in self.blocks:
            del block.hook  # held the last activation

    def forward(self, L: Tensor) -> Tensor:
        """``L`` (N, 1, H, W) in [-1, 1] to ``ab`` (N, 2, H, W)."""
        x, outputs = L, []
        for layer in self.encoder:
            x = layer(x)
            outputs.append(x)
        x = self.middle(x)
        for block, index in zip(self.blocks, _SKIPS, strict=True):
            x = _up(block, x, outputs[index])
        x = _resized(self.shuffle(x), L)
        return self.tail(torch.cat([x, L], dim=1))


def _up(block: Any, x: Tensor, skip: Tensor) -> Tensor:
    """Compute what fastai's ``UnetBlock.forward`` does with the skip that its hook stored."""
    x = _resized(block.shuf(x), skip)
    return block.conv2(block.conv1(block.relu(torch.cat([x, block.bn(skip)], dim=1))))


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return x if x.shape[2:] == like.shape[2:] else F.interpolate(x, like.shape[2:], mode="nearest")
