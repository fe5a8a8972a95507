"""Layers: frozen descriptors that a network strings together."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rowloom.model.arith import output_length
from rowloom.model.encodings import MAX_BITS, Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.frozen import frozen_integers
from rowloom.model.operation import Operation
from rowloom.model.post import Post

Shape = tuple[int, int, int]
"""(H, W, C) of a tensor; the batch is outside."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer(ABC):
    """One operator that reads tensors and writes one.

    Parameters
    ----------
    name : str
        Unique in a network; used in errors and reports.
    input, output : str
        Names of tensors.
    """

    op: ClassVar[str]
    """Name of the operator in files and reports."""

    name: str
    input: str
    output: str

    def __post_init__(self) -> None:
        for what in ("name", "input", "output"):
            value = getattr(self, what)
            if not isinstance(value, str) or not value:
                raise RowloomError("layer", f"{what} must be a string that is not empty, not {value!r}")

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of every tensor that the layer reads."""
        return (self.input,)

    @abstractmethod
    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of the output for an input of ``shape``; RowloomError if it cannot be."""

    @abstractmethod
    def macs(self, shape: Shape) -> int:
        """Return the multiply-accumulates of an image whose input has ``shape``, padded taps included."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conv2d(Layer):
    """Two-dimensional convolution: a sum over the kernel and a group's channels, then ``post``.

    sum[e, f, m] = bias[m] + the sum over r, s, c of weight[m, r, s, c] * x[e * stride[0] + r * dilation[0] - top,
    f * stride[1] + s * dilation[1] - left, group's c], in values, not codes; ``operation`` may put another function of
    the two in place of their product. Taps outside of the map contribute exactly zero, whatever the operation, or
    hold the value ``pad_value`` if that is given.

    Parameters
    ----------
    weights : codes [M, R, S, C // groups]
        Of ``weight_encoding``.
    weight_encoding : Encoding
        What the weights' codes mean.
    stride, dilation : (int, int)
        Down and across, at least 1.
    padding : (int, int, int, int)
        Top, bottom, left, right; less than the dilated kernel.
    groups : int
        Divides C and M; depthwise is groups = C.
    pad_value : int or None
        Value (not code) of a padded tap.
    operation : Operation
        What a tap makes of value and weight: their product, or the negative of their distance.
    bias : int64 [M] or None
        Added to the sum.
    post : Thresholds, Requantize or None
        None gives the raw sums.
    """

    op = "conv2d"

    weights: NDArray[Any]
    weight_encoding: Encoding
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    pad_value: int | None = None
    operation: Operation = Operation.MULTIPLY
    bias: NDArray[np.int64] | None = None
    post: Post = None

    def __post_init__(self) -> None:
        Layer.__post_init__(self)
        _check_integers(self.name, "stride", self.stride, 2, 1)
        _check_integers(self.name, "padding", self.padding, 4, 0)
        _check_integers(self.name, "dilation", self.dilation, 2, 1)
        _check_integers(self.name, "groups", (self.groups,), 1, 1)
        if self.pad_value is not None and (type(self.pad_value) is not int or abs(self.pad_value) >= 1 << MAX_BITS):
            raise RowloomError(
                self.name, f"pad_value must be an integer of at most {MAX_BITS} bits, not {self.pad_value!r}"
            )
        _freeze_weights(self)
        if len(self.weights) % self.groups:
            raise RowloomError(self.name, f"has {len(self.weights)} filters, not a multiple of {self.groups} groups")
        _, rows, columns, _ = self.weights.shape
        for what, extent, dilation, padding in (
            ("top and bottom", rows, self.dilation[0], self.padding[:2]),
            ("left and right", columns, self.dilation[1], self.padding[2:]),
        ):
            if max(padding) > dilation * (extent - 1):
                raise RowloomError(
                    self.name, f"{what} padding must be at most {dilation * (extent - 1)}, not {max(padding)}"
                )

    @property
    def out_channels(self) -> int:
        """M, the number of filters."""
        return len(self.weights)

    def output_shape(self, shape: Shape) -> Shape:
        """Return (E, F, M)."""
        channels = self.weights.shape[3] * self.groups
        if shape[2] != channels:
            raise RowloomError(self.name, f"has weights for {channels} channels, but {self.input} has {shape[2]}")
        kernel = (self.weights.shape[1], self.weights.shape[2])
        height, width = _slide(self.name, shape, kernel, self.stride, self.padding, self.dilation)
        return height, width, self.out_channels

    def macs(self, shape: Shape) -> int:
        """Return E * F * M * R * S * C / groups."""
        height, width, _ = self.output_shape(shape)
        return height * width * self.weights.size


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linear(Layer):
    """A dense layer over a whole map: a convolution whose kernel covers it, so flattening never moves data.

    Parameters
    ----------
    weights : codes [M, H, W, C]
        Of ``weight_encoding``.
    weight_encoding : Encoding
        What the weights' codes mean.
    operation : Operation
        What a tap makes of value and weight.
    bias : int64 [M] or None
        Added to the sum.
    post : Thresholds, Requantize or None
        None gives the raw sums.
    """

    op = "linear"

    weights: NDArray[Any]
    weight_encoding: Encoding
    operation: Operation = Operation.MULTIPLY
    bias: NDArray[np.int64] | None = None
    post: Post = None

    def __post_init__(self) -> None:
        Layer.__post_init__(self)
        _freeze_weights(self)

    @property
    def out_channels(self) -> int:
        """M, the number of filters."""
        return len(self.weights)

    def output_shape(self, shape: Shape) -> Shape:
        """Return (1, 1, M)."""
        if shape != self.weights.shape[1:]:
            raise RowloomError(
                self.name, f"has weights for a map of {self.weights.shape[1:]}, but {self.input} is {shape}"
            )
        return 1, 1, self.out_channels

    def macs(self, shape: Shape) -> int:
        """Return M * H * W * C."""
        return int(self.weights.size)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaxPool2d(Layer):
    """The greatest value of each window; padded taps are ignored.

    Parameters
    ----------
    kernel : (int, int)
        R, S: the window.
    stride : (int, int)
        Down and across; the window by default.
    padding : (int, int, int, int)
        Top, bottom, left, right; less than the window.
    """

    op = "max_pool2d"

    kernel: tuple[int, int]
    stride: tuple[int, int] = field(default=(0, 0))
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    def __post_init__(self) -> None:
        Layer.__post_init__(self)
        _check_integers(self.name, "kernel", self.kernel, 2, 1)
        if self.stride == (0, 0):
            object.__setattr__(self, "stride", self.kernel)
        _check_integers(self.name, "stride", self.stride, 2, 1)
        _check_integers(self.name, "padding", self.padding, 4, 0)
        if max(self.padding[:2]) >= self.kernel[0] or max(self.padding[2:]) >= self.kernel[1]:
            raise RowloomError(self.name, f"padding {self.padding} must be less than the window {self.kernel}")

    def output_shape(self, shape: Shape) -> Shape:
        """Return (E, F, C); a window that does not fit at the bottom or the right is dropped."""
        height, width = _slide(self.name, shape, self.kernel, self.stride, self.padding, (1, 1))
        return height, width, shape[2]

    def macs(self, shape: Shape) -> int:
        """Return 0."""
        return 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArgMax(Layer):
    """The index of the greatest channel of a 1 x 1 map; the lowest one of equals."""

    op = "argmax"

    def output_shape(self, shape: Shape) -> Shape:
        """Return (1, 1, 1)."""
        if shape[:2] != (1, 1):
            raise RowloomError(self.name, f"takes a 1 x 1 map, but {self.input} is {shape}")
        return 1, 1, 1

    def macs(self, shape: Shape) -> int:
        """Return 0."""
        return 0


WeightedLayer = Conv2d | Linear
"""The layers that have weights, sums and a post-operation."""

OPS: dict[str, type[Layer]] = {cls.op: cls for cls in (Conv2d, Linear, MaxPool2d, ArgMax)}
"""Every layer class by its name in files."""


def _check_integers(name: str, what: str, values: tuple[int, ...], count: int, least: int) -> None:
    if not isinstance(values, tuple) or len(values) != count or any(type(v) is not int or v < least for v in values):
        shown = values[0] if count == 1 and isinstance(values, tuple) and len(values) == 1 else values
        kind = "an integer" if count == 1 else f"a tuple of {count} integers"
        raise RowloomError(name, f"{what} must be {kind} of at least {least}, not {shown!r}")


def _freeze_weights(layer: WeightedLayer) -> None:
    """Check the weights, then replace weights and bias by read-only copies."""
    if not isinstance(layer.weight_encoding, Encoding):
        raise RowloomError(layer.name, f"weight_encoding must be an Encoding, not {layer.weight_encoding!r}")
    if not isinstance(layer.operation, Operation):
        raise RowloomError(layer.name, f"operation must be an Operation, not {layer.operation!r}")
    subject = f"{layer.name} weights"
    layer.weight_encoding.check_codes(layer.weights, subject)
    weights = frozen_integers(layer.weights, dtype=layer.weight_encoding.dtype, ndim=4, subject=subject)
    if weights.size == 0:
        raise RowloomError(subject, f"must not be empty, but are {weights.shape}")
    object.__setattr__(layer, "weights", weights)
    if layer.bias is not None:
        bias = frozen_integers(layer.bias, dtype=np.int64, ndim=1, subject=f"{layer.name} bias")
        if len(bias) != len(weights):
            raise RowloomError(layer.name, f"bias must have {len(weights)} entries, not {len(bias)}")
        object.__setattr__(layer, "bias", bias)


def _slide(
    name: str,
    shape: Shape,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
) -> tuple[int, int]:
    """Return (E, F) of a window that slides over a map."""
    height = output_length(shape[0], kernel[0], stride[0], padding[0], padding[1], dilation[0])
    width = output_length(shape[1], kernel[1], stride[1], padding[2], padding[3], dilation[1])
    if height < 1 or width < 1:
        raise RowloomError(name, f"a window of {kernel} does not fit into a padded map of {shape}")
    return height, width
