"""A stage of a residual network: convolutions on images, each followed by a normalisation over the batch.

Idea      A bottleneck narrows the channels by a 1×1 convolution, looks at neighbours in 3×3 windows there, and widens again;
          a shortcut carries the input around it. A stage is a row of them; its first block halves the image.
Equation  y = relu(x' + BN(W₃ ∗ relu(BN(W₂ ∗ relu(BN(W₁ ∗ x))))))
Paper     K. He et al., "Deep residual learning for image recognition", CVPR 2016, table 1; the stride stands in the 3×3
          convolution (P. Goyal et al., arXiv 1706.02677, section 5.1); S. Ioffe, C. Szegedy, "Batch normalization", ICML 2015.
Cost      17 w² parameters in convolutions a block of inner width w, 2 · 17 w² H W FLOPs an image forward: few weights, used at
          every pixel. Normalisations and ReLUs read and write all pixels and compute next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's name

from mlsys_core.workloads import operations as o
from mlsys_core.workloads.operations import Operation, Work

EXPANSION = 4


@dataclass(frozen=True)
class StageConfig:
    """A stage: channels that come in, inner width (the stage gives four times as many), blocks, stride of the first."""

    channels: int = 256
    width: int = 128
    blocks: int = 4
    stride: int = 2


# ResNet-50's four stages
RESNET50 = (
    StageConfig(64, 64, 3, 1),
    StageConfig(256, 128, 4, 2),
    StageConfig(512, 256, 6, 2),
    StageConfig(1024, 512, 3, 2),
)


class ConvNorm(nn.Module):
    """A convolution without bias and the normalisation of each channel over batch and pixels: (B, C, H, W) -> (B, C', H', W')."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, normalise."""
        return self.norm(self.conv(x))


class Bottleneck(nn.Module):
    """Images (B, C, H, W) -> (B, 4 width, H / stride, W / stride)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = EXPANSION * width
        self.reduce, self.look = ConvNorm(channels, width, 1), ConvNorm(width, width, 3, stride)
        self.widen = ConvNorm(width, outputs, 1)
        same = stride == 1 and channels == outputs
        self.shortcut = nn.Identity() if same else ConvNorm(channels, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Around and through."""
        inner = F.relu(self.look(F.relu(self.reduce(x))))
        return F.relu(self.widen(inner) + self.shortcut(x))


class Stage(nn.Sequential):
    """A row of bottlenecks: (B, channels, H, W) -> (B, 4 width, H / stride, W / stride)."""

    def __init__(self, config: StageConfig) -> None:
        outputs = EXPANSION * config.width
        first = Bottleneck(config.channels, config.width, config.stride)
        super().__init__(first, *(Bottleneck(outputs, config.width, 1) for _ in range(config.blocks - 1)))


def stage(config: StageConfig, batch: int, height: int, width: int, *, size: int = 4) -> list[Operation]:
    """The operations of a stage on images (batch, channels, height, width) that need a gradient themselves."""
    counted: list[Operation] = []
    block, image = config, (height, width)
    # the input of a later block is what the one before it keeps
    keeps = batch * config.channels * height * width
    for i in range(config.blocks):
        counted += _bottleneck(f"{i}", block, batch, image, size, keeps=keeps)
        image = (_strided(image[0], block.stride), _strided(image[1], block.stride))
        block, keeps = StageConfig(EXPANSION * config.width, config.width, 1, 1), 0
    return counted


def _strided(length: int, stride: int) -> int:
    return (length - 1) // stride + 1


def _bottleneck(
    name: str, block: StageConfig, batch: int, image: tuple[int, int], size: int, *, keeps: int
) -> list[Operation]:
    channels, inner, outputs = block.channels, block.width, EXPANSION * block.width
    before = batch * image[0] * image[1]
    after = batch * _strided(image[0], block.stride) * _strided(image[1], block.stride)
    around: list[Operation] = []
    if block.stride != 1 or channels != outputs:
        # its input is the block's, which the first convolution keeps
        around = _conv_norm(f"{name}.shortcut", (channels, outputs, 1), (before, after), size)
    return [
        *_conv_norm(f"{name}.reduce", (channels, inner, 1), (before, before), size, keeps=keeps),
        _relu(f"{name}.relu1", before * inner, size),
        *_conv_norm(f"{name}.look", (inner, inner, 3), (before, after), size),
        _relu(f"{name}.relu2", after * inner, size),
        *_conv_norm(f"{name}.widen", (inner, outputs, 1), (after, after), size),
        *around,
        o.elementwise(f"{name}.add", "elementwise", after * outputs, size, reads=2),
        _relu(f"{name}.relu3", after * outputs, size),
    ]


def _relu(name: str, elements: int, size: int) -> Operation:
    """Keeps its output, which the next convolution needs too."""
    return o.elementwise(name, "elementwise", elements, size, reads=1, keeps=elements)


def _conv_norm(
    name: str, shape: tuple[int, int, int], pixels: tuple[int, int], size: int, *, keeps: int = 0
) -> list[Operation]:
    """A convolution of `shape` (inputs, outputs, kernel) between pixels, counted over the batch, and its normalisation.

    The normalisation keeps its input, and a mean and a root of each channel.
    """
    (inputs, outputs, kernel), (before, after) = shape, pixels
    weights = inputs * outputs * kernel**2
    flops = 2 * after * weights
    moved = (before * inputs + weights + after * outputs) * size
    conv = Operation(
        f"{name}.conv", "convolution", Work(flops, moved), Work(2 * flops, 2 * moved), weights, keeps * size
    )
    return [conv, o.norm(f"{name}.norm", "norm", after, outputs, size, vectors=2, keeps=after * outputs + 2 * outputs)]
