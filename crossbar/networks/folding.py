"""A BatchNorm and a convolution in one, for grey images that every channel sees."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def can_fold(norm: nn.Module, conv: nn.Module, images: Tensor) -> bool:
    """Whether `folded_block` computes what `conv(norm(images))` does, gradients included."""
    return (
        type(norm) is nn.BatchNorm2d
        and type(conv) is nn.Conv2d
        and norm.momentum is not None
        and norm.affine
        and conv.groups == 1
        and set(conv.padding) == {0}
        and not images.requires_grad
    )


def folded_block(norm: nn.BatchNorm2d, conv: nn.Conv2d, images: Tensor) -> Tensor:
    """`conv(norm(images))` for grey images (n x 1 x rows x columns) that every channel sees.

    The norm's factors and the sum over equal channels are put into the kernels: one channel is
    read instead of all, and no gradient at the images is computed for the sake of the factors.
    """
    gain: Tensor = norm.weight
    shift: Tensor = norm.bias
    mean, var, seen = norm.running_mean, norm.running_var, norm.num_batches_tracked
    if norm.training or mean is None or var is None:
        own_mean, own_var = images.new_zeros(1), images.new_zeros(1)
        images = functional.batch_norm(images, own_mean, own_var, None, None, True, 1.0, norm.eps)
        if norm.training and mean is not None and var is not None and seen is not None:
            mean.lerp_(own_mean, norm.momentum or 0.0)
            var.lerp_(own_var, norm.momentum or 0.0)
            seen.add_(1)
    else:
        gain = gain * (var + norm.eps).rsqrt()
        shift = shift - gain * mean
    kernels = (conv.weight * gain[:, None, None]).sum(1, keepdim=True)
    bias = torch.mv(conv.weight.sum((2, 3)), shift)
    if conv.bias is not None:
        bias = bias + conv.bias
    return functional.conv2d(images, kernels, bias, conv.stride, 0, conv.dilation)
