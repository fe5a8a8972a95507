"""What each class of torch module becomes."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from rowloom.model import layers as ir
from rowloom.model.bounds import signed_bits, sum_bounds, sum_reach
from rowloom.model.encodings import Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.lowering.builder import Builder, Call
from rowloom.model.lowering.thresholds import codes_of, find_thresholds
from rowloom.model.nn import (
    Add,
    AdderConv2d,
    AdderLinear,
    Average,
    AveragePool2d,
    Concat,
    Conv2d,
    GlobalAveragePool2d,
    Linear,
    MaxPool2d,
    Summing,
    Weighted,
)

EXACT = 1 << 24
"""Below this magnitude every integer is a float32, so torch's sums are exact in whatever order it adds."""

TABLE_CODES = 1 << 16
"""Codes that a table of an addition may have."""


def _lower_conv2d(builder: Builder, call: Call, module: Conv2d) -> str:
    builder.weighted += 1
    name = builder.fresh_name(f"conv{builder.weighted}")
    values = module.weight(module.latent).permute(0, 2, 3, 1).contiguous()
    layer = ir.Conv2d(
        name=name,
        input=call.inputs[0],
        output=name,
        weights=codes_of(module.weight.encoding, values),
        weight_encoding=module.weight.encoding,
        stride=module.stride,
        padding=module.padding,
        dilation=module.dilation,
        groups=module.groups,
        pad_value=module.pad_value,
        operation=module.operation,
    )
    return _finish_weighted(builder, call, module, layer)


def _lower_linear(builder: Builder, call: Call, module: Linear) -> str:
    builder.weighted += 1
    name = builder.fresh_name(f"fc{builder.weighted}")
    height, width, channels = builder.tensors[call.inputs[0]].shape
    values = module.weight(module.latent)
    if values.shape[1] != height * width * channels:
        raise RowloomError(
            call.subject,
            f"Linear has {values.shape[1]} inputs, but its input is a map of {(height, width, channels)}",
        )
    # torch flattens a map channel by channel.
    mapped = values.reshape(-1, channels, height, width).permute(0, 2, 3, 1).contiguous()
    layer = ir.Linear(
        name=name,
        input=call.inputs[0],
        output=name,
        weights=codes_of(module.weight.encoding, mapped),
        weight_encoding=module.weight.encoding,
        operation=module.operation,
    )
    return _finish_weighted(builder, call, module, layer)


def _finish_weighted(builder: Builder, call: Call, module: Weighted, layer: ir.WeightedLayer) -> str:
    """Append a weighted layer, then its pool."""
    output = _finish(builder, call, module, layer, module.post)
    return output if module.pool is None else _lower_max_pool(builder, call.at(output), module.pool)


def _lower_max_pool(builder: Builder, call: Call, module: MaxPool2d) -> str:
    name = builder.fresh_name(f"pool{builder.weighted}")
    layer = ir.MaxPool2d(
        name=name,
        input=call.inputs[0],
        output=name,
        kernel=module.kernel,
        stride=module.stride,
        padding=module.padding,
    )
    return _keep(builder, call, layer)


def _lower_average(builder: Builder, call: Call, module: Average) -> str:
    shape = builder.tensors[call.inputs[0]].shape
    name = builder.fresh_name(f"average{builder.weighted}")
    layer = replace(module.layer(shape), name=name, input=call.inputs[0], output=name)
    return _finish(builder, call, module, layer, partial(module.average, scale=module.scale(shape)))


def _lower_add(builder: Builder, call: Call, module: Add) -> str:
    if len(call.inputs) != len(module.multipliers):
        raise RowloomError(
            call.subject, f"Add has {len(module.multipliers)} multipliers, but {len(call.inputs)} inputs"
        )
    encodings = [builder.tensors[name].encoding for name in call.inputs]
    for encoding in encodings:
        if encoding.code_max - encoding.code_min >= TABLE_CODES:
            raise RowloomError(
                call.subject, f"Add reads {encoding}", "must be of at most 16 bits: give it an activation"
            )
    name = builder.numbered_name(ir.Add, "add")
    layer = ir.Add.scaled(
        name=name, inputs=call.inputs, output=name, encodings=encodings, multipliers=module.multipliers
    )
    return _finish(builder, call, module, layer, module.post)


def _finish(
    builder: Builder,
    call: Call,
    module: Summing,
    layer: ir.SummingLayer,
    function: Callable[[Tensor], Tensor],
) -> str:
    """Give a layer that sums its post-operation, ``function`` of the sums, and append it."""
    sources = [builder.tensors[name] for name in layer.inputs]
    shapes, encodings = [source.shape for source in sources], [source.encoding for source in sources]
    _check_shape(call, layer, shapes)
    if sum_reach(layer, shapes, encodings) >= EXACT:
        raise RowloomError(
            call.subject, f"sums of {type(module).__name__} may reach 2^24", "must be less to be exact in float32"
        )
    lows, highs = sum_bounds(layer, shapes, encodings)
    if module.activation is not None:
        encoding = module.activation.encoding
        layer = replace(layer, post=find_thresholds(call.subject, function, encoding, lows, highs))
    elif module.norm is not None:
        raise RowloomError(
            call.subject, f"{type(module).__name__} has a norm but no activation", "must have both or none"
        )
    else:
        encoding = Uniform(bits=signed_bits(min(lows), max(highs)), signed=True)
    return builder.add(call.position, layer, encoding)


def _check_shape(call: Call, layer: ir.Layer, shapes: list[ir.Shape]) -> None:
    """Raise RowloomError, with the position, if a layer does not take inputs of those shapes."""
    try:
        layer.output_shape(*shapes)
    except RowloomError as error:
        raise RowloomError(f"{call.subject} ({layer.name})", error.problem, error.remedy) from None


def _lower_concat(builder: Builder, call: Call, module: Concat) -> str:
    name = builder.numbered_name(ir.Concat, "concat")
    return _keep(builder, call, ir.Concat(name=name, inputs=call.inputs, output=name))


def _lower_shuffle(builder: Builder, call: Call, module: nn.ChannelShuffle) -> str:
    name = builder.numbered_name(ir.ChannelShuffle, "shuffle")
    layer = ir.ChannelShuffle(name=name, input=call.inputs[0], output=name, groups=int(module.groups))
    return _keep(builder, call, layer)


def _lower_pixel_shuffle(builder: Builder, call: Call, module: nn.PixelShuffle) -> str:
    name = builder.numbered_name(ir.DepthToSpace, "squares")
    layer = ir.DepthToSpace(name=name, input=call.inputs[0], output=name, block=int(module.upscale_factor), mode="CRD")
    return _keep(builder, call, layer)


def _lower_upsample(builder: Builder, call: Call, module: nn.Upsample) -> str:
    factor = module.scale_factor
    if module.mode != "nearest" or not isinstance(factor, int | float) or factor != int(factor) or factor < 1:
        raise RowloomError(
            call.subject,
            f"Upsample has mode {module.mode!r}, size {module.size} and scale_factor {factor}",
            "must have mode 'nearest' and a whole scale_factor",
        )
    name = builder.numbered_name(ir.Upsample, "upsample")
    layer = ir.Upsample(name=name, input=call.inputs[0], output=name, factor=int(factor))
    height, width, _ = builder.tensors[call.inputs[0]].shape
    # torch computes where a pixel comes from in floats.
    places = torch.arange(height * width, dtype=torch.float64).reshape(1, 1, height, width)
    expected = places.repeat_interleave(layer.factor, 2).repeat_interleave(layer.factor, 3)
    if not torch.equal(module(places), expected):
        raise RowloomError(
            call.subject, f"Upsample repeats pixels of {height} x {width} unequally", "torch rounds its scale_factor"
        )
    return _keep(builder, call, layer)


def _keep(builder: Builder, call: Call, layer: ir.Layer) -> str:
    """Append a layer that keeps the encoding of its input."""
    return builder.add(call.position, layer, builder.tensors[layer.inputs[0]].encoding)


LOWER: dict[type[nn.Module], Callable[[Builder, Call, Any], str]] = {
    Conv2d: _lower_conv2d,
    Linear: _lower_linear,
    AdderConv2d: _lower_conv2d,
    AdderLinear: _lower_linear,
    MaxPool2d: _lower_max_pool,
    AveragePool2d: _lower_average,
    GlobalAveragePool2d: _lower_average,
    Add: _lower_add,
    Concat: _lower_concat,
    nn.ChannelShuffle: _lower_shuffle,
    nn.PixelShuffle: _lower_pixel_shuffle,
    nn.Upsample: _lower_upsample,
}
"""How each class of module is lowered: from its place and inputs to the name of its output."""

SEVERAL_INPUTS = (Add, Concat)

NOTHING = (nn.Identity, nn.Dropout, nn.Dropout2d)
"""Modules that do nothing in evaluation."""
