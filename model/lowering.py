"""Lowering: from a trained torch module to the integer network that computes the same."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, count

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor as TorchTensor
from torch import nn

from rowloom.model import layers as ir
from rowloom.model.arith import count_thresholds
from rowloom.model.bounds import channel_bounds, magnitude_bound, signed_bits
from rowloom.model.encodings import Encoding, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.network import Network, Tensor
from rowloom.model.nn import AdderConv2d, AdderLinear, Conv2d, Input, Linear, MaxPool2d, Weighted
from rowloom.model.post import Thresholds

EXACT = 1 << 24
"""Below this magnitude every integer is a float32, so torch's sums are exact in whatever order it adds."""

CHECKED_SUMS = 1 << 14
"""Sums per channel on which found thresholds are compared with the float function: all, or this many."""


def lower(
    module: nn.Module,
    example_input: TorchTensor | ArrayLike,
    *,
    name: str = "network",
    about: Mapping[str, str | float] | None = None,
) -> Network:
    """Return the integer network that computes what ``module.eval()`` computes, bit for bit.

    Parameters
    ----------
    module : torch.nn.Module
        A Sequential, nested at will, of layers of :mod:`rowloom.model.nn`; the first one is ``Input``.
    example_input : array [N, C, H, W]
        Any batch of the right shape; only its shape is used.
    name : str
        What reports call the network.
    about : mapping
        Stored in the network.

    Raises
    ------
    RowloomError
        If a layer is not supported, by its position and class; or if a layer's sums may not be exact in float32.
    """
    shape = tuple(example_input.shape) if isinstance(example_input, TorchTensor) else np.shape(example_input)
    if len(shape) != 4:
        raise RowloomError("example input", f"shape is {tuple(shape)}", "must be (N, C, H, W)")
    found = list(_flatten(module, ""))
    if not found or not isinstance(found[0][1], Input):
        first = f"not {type(found[0][1]).__name__}" if found else "but there is none"
        raise RowloomError(name, f"its first layer must be rowloom.model.nn.Input, {first}")
    source = found[0][1]
    builder = _Builder()
    builder.tensors.append(
        Tensor(name="input", shape=(shape[2], shape[3], shape[1]), encoding=source.encoding, scale=float(source.scale))
    )
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            for position, layer in found[1:]:
                lower_layer = _LOWER.get(type(layer))
                if lower_layer is None:
                    known = ", ".join(sorted(cls.__name__ for cls in _LOWER))
                    raise RowloomError(
                        f"layer {position}", f"{type(layer).__name__} cannot be lowered", f"must be one of {known}"
                    )
                lower_layer(builder, position, layer)
    finally:
        for each, training in modes:
            each.training = training
    return Network(
        name=name,
        tensors=tuple(builder.tensors),
        layers=tuple(builder.layers),
        input="input",
        outputs=(builder.tensors[-1].name,),
        about=dict(about or {}),
    )


@dataclass(slots=True)
class _Builder:
    """What has been lowered so far; the last tensor feeds the next layer."""

    tensors: list[Tensor] = field(default_factory=list)
    layers: list[ir.Layer] = field(default_factory=list)
    weighted: int = 0

    def fresh_name(self, stem: str) -> str:
        """Return stem, or stem with a number if another tensor has it."""
        taken = {tensor.name for tensor in self.tensors}
        names = chain([stem], (f"{stem}_{number}" for number in count(2)))
        return next(name for name in names if name not in taken)

    def add(self, layer: ir.Layer, encoding: Encoding) -> None:
        """Append a layer and the tensor that it writes."""
        shape = layer.output_shape(self.tensors[-1].shape)
        self.tensors.append(Tensor(name=layer.output, shape=shape, encoding=encoding))
        self.layers.append(layer)


def _flatten(module: nn.Module, position: str) -> Iterator[tuple[str, nn.Module]]:
    """Yield every layer of nested Sequentials with its position, such as ``2.0``."""
    if isinstance(module, nn.Sequential):
        for key, child in module.named_children():
            yield from _flatten(child, f"{position}.{key}" if position else key)
    else:
        yield position or "0", module


def _lower_conv2d(builder: _Builder, position: str, module: Conv2d) -> None:
    builder.weighted += 1
    name = builder.fresh_name(f"conv{builder.weighted}")
    values = module.weight(module.latent).permute(0, 2, 3, 1).contiguous()
    layer = ir.Conv2d(
        name=name,
        input=builder.tensors[-1].name,
        output=name,
        weights=_codes(module.weight.encoding, values),
        weight_encoding=module.weight.encoding,
        stride=(module.stride,) * 2,
        padding=(module.padding,) * 4,
        dilation=(module.dilation,) * 2,
        groups=module.groups,
        pad_value=module.pad_value,
        operation=module.operation,
    )
    _finish(builder, position, module, layer)


def _lower_linear(builder: _Builder, position: str, module: Linear) -> None:
    builder.weighted += 1
    name = builder.fresh_name(f"fc{builder.weighted}")
    height, width, channels = builder.tensors[-1].shape
    values = module.weight(module.latent)
    if values.shape[1] != height * width * channels:
        raise RowloomError(
            f"layer {position}",
            f"Linear has {values.shape[1]} inputs, but its input is a map of {(height, width, channels)}",
        )
    # torch flattens a map channel by channel.
    mapped = values.reshape(-1, channels, height, width).permute(0, 2, 3, 1).contiguous()
    layer = ir.Linear(
        name=name,
        input=builder.tensors[-1].name,
        output=name,
        weights=_codes(module.weight.encoding, mapped),
        weight_encoding=module.weight.encoding,
        operation=module.operation,
    )
    _finish(builder, position, module, layer)


def _lower_max_pool(builder: _Builder, position: str, module: MaxPool2d) -> None:
    name = builder.fresh_name(f"pool{builder.weighted}")
    layer = ir.MaxPool2d(
        name=name,
        input=builder.tensors[-1].name,
        output=name,
        kernel=(module.kernel,) * 2,
        stride=(module.stride,) * 2,
        padding=(module.padding,) * 4,
    )
    builder.add(layer, builder.tensors[-1].encoding)


def _finish(builder: _Builder, position: str, module: Weighted, layer: ir.WeightedLayer) -> None:
    """Give a weighted layer its post-operation, append it, then its pool."""
    subject = f"layer {position}"
    source = builder.tensors[-1].encoding
    if magnitude_bound(layer, source) >= EXACT:
        raise RowloomError(
            subject, f"sums of {type(module).__name__} may reach 2^24", "must be less to be exact in float32"
        )
    lows, highs = channel_bounds(layer, source)
    if module.activation is not None:
        encoding = module.activation.encoding
        object.__setattr__(layer, "post", find_thresholds(subject, module.post, encoding, lows, highs))
    elif module.norm is not None:
        raise RowloomError(subject, f"{type(module).__name__} has a norm but no activation", "must have both or none")
    else:
        encoding = Uniform(bits=signed_bits(min(lows), max(highs)), signed=True)
    builder.add(layer, encoding)
    if module.pool is not None:
        _lower_max_pool(builder, position, module.pool)


def find_thresholds(
    subject: str,
    function: Callable[[TorchTensor], TorchTensor],
    encoding: Encoding,
    lows: list[int],
    highs: list[int],
) -> Thresholds:
    """Return thresholds that equal an elementwise float function on every integer in lows[m] to highs[m].

    Each threshold is found by bisection on the function itself, which maps sums [K, M, 1, 1] to values of
    ``encoding``; then the result is compared with the function. All thresholds of all channels are found together,
    so 255 of them take as many calls of the function as one.

    Raises
    ------
    RowloomError
        If the function is not monotone in a channel.
    """
    low, high = np.array(lows), np.array(highs)

    def codes(sums: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the codes [K, M] of sums [K, M]."""
        values = function(torch.from_numpy(sums.astype(np.float32))[:, :, None, None])
        return _codes(encoding, values)[:, :, 0, 0].astype(np.int64)

    ends = codes(np.stack([low, high]))
    direction = np.where(ends[1] >= ends[0], 1, -1)
    first, last = np.where(direction > 0, low, -high), np.where(direction > 0, high, -low)
    wanted = np.arange(encoding.code_min + 1, encoding.code_max + 1)[:, None]
    # The threshold, in direction * sum, is in below + 1 to above; last + 1 stands for never.
    below = np.broadcast_to(first - 1, (len(wanted), len(low))).copy()
    above = np.broadcast_to(last + 1, below.shape).copy()
    while np.any(above - below > 1):
        middle = np.clip((below + above) >> 1, first, last)
        reached = codes(direction * middle) >= wanted
        open_ = above - below > 1
        above = np.where(open_ & reached, middle, above)
        below = np.where(open_ & ~reached, middle, below)
    thresholds = Thresholds(values=above.T, direction=direction)
    _check_thresholds(subject, thresholds, codes, encoding, low, high)
    return thresholds


def _check_thresholds(
    subject: str,
    thresholds: Thresholds,
    codes: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    encoding: Encoding,
    low: NDArray[np.int64],
    high: NDArray[np.int64],
) -> None:
    """Compare with the function on every sum, or on evenly spaced ones where there are too many."""
    points = min(int((high - low).max()) + 1, CHECKED_SUMS)
    steps = np.arange(points)[:, None]
    # With fewer sums than steps some are repeated, which costs little.
    for start in range(0, points, 256):
        part = steps[start : start + 256]
        sums = low + (high - low) * part // max(points - 1, 1)
        counted = count_thresholds(thresholds.direction * sums, thresholds.values)
        if np.any(codes(sums) != encoding.code_min + counted.astype(np.int64)):
            raise RowloomError(subject, "its activation is neither rising nor falling with the sum")


def _codes(encoding: Encoding, values: TorchTensor) -> NDArray[np.integer]:
    return encoding.encode(values.detach().cpu().numpy())


_LOWER: dict[type[nn.Module], Callable[..., None]] = {
    Conv2d: _lower_conv2d,
    Linear: _lower_linear,
    AdderConv2d: _lower_conv2d,
    AdderLinear: _lower_linear,
    MaxPool2d: _lower_max_pool,
}
