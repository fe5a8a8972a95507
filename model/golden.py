"""The golden model: what a network computes, exactly, in numpy."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from rowloom.model.blas import one_blas_thread
from rowloom.model.bounds import magnitude_bound
from rowloom.model.distances import DistanceSums
from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.evaluate.add import TableSums
from rowloom.model.evaluate.depthwise import TapSums
from rowloom.model.evaluate.finish import Finish
from rowloom.model.evaluate.numbers import decode, exact_type, pad
from rowloom.model.evaluate.pooling import WindowSums, max_pool
from rowloom.model.evaluate.rearrange import channel_shuffle, concat, depth_to_space, upsample
from rowloom.model.layers import (
    Add,
    ArgMax,
    AveragePool2d,
    ChannelShuffle,
    Concat,
    Conv2d,
    DepthToSpace,
    Layer,
    Linear,
    MaxPool2d,
    Shape,
    Upsample,
    WeightedLayer,
)
from rowloom.model.operation import Operation
from rowloom.model.packed import PackedSums, pays
from rowloom.model.post import Thresholds
from rowloom.model.windows import windows

if TYPE_CHECKING:
    from rowloom.model.network import Network, Tensor

IMAGES_AT_ONCE = 16
"""Images that go through a layer together: few enough that their sums stay in a core's cache."""

BUNDLED = 16
"""Channels that the groups of a convolution have together at least, where they are few each."""

Codes = NDArray[Any]
Prepared = TypeVar("Prepared", "_WeightedSum", WindowSums, TableSums)
Evaluate = Callable[..., Codes]
"""From a layer's input codes, in order, to its output codes."""


@overload
def run(network: "Network", x: ArrayLike, keep: None = None) -> Codes | dict[str, Codes]: ...
@overload
def run(network: "Network", x: ArrayLike, keep: Literal["all", "outputs"]) -> dict[str, Codes]: ...
@overload
def run(network: "Network", x: ArrayLike, keep: Literal["all", "outputs"] | None) -> Codes | dict[str, Codes]: ...
def run(network: "Network", x: ArrayLike, keep: Literal["all", "outputs"] | None = None) -> Codes | dict[str, Codes]:
    """Evaluate a network on a batch of images; every integer is exact.

    Parameters
    ----------
    x : array [N, H, W, C]
        Integer codes of the input tensor, or floats that the input tensor's scale turns into codes.
    keep : "all", "outputs" or None
        Whether to return every tensor, the outputs as they are stored, or the outputs.

    Returns
    -------
    array or dict of str to array
        Codes, each in its encoding's ``dtype``. Of an output: [N, M] for a 1 x 1 map, else [N, H, W, C]; an array
        where there is one, and where there are several a dict by their names. With ``keep`` a dict by name, always
        [N, H, W, C]: of every tensor, the input too, or of the outputs.

    Raises
    ------
    RowloomError
        If the shape, type or range of ``x`` is wrong.
    """
    if keep not in (None, "all", "outputs"):
        raise RowloomError("keep", f"must be None, 'all' or 'outputs', not {keep!r}")
    codes = input_codes(network.tensor(network.input), x)
    wanted = [tensor.name for tensor in network.tensors] if keep == "all" else list(network.outputs)
    steps = [(layer, _evaluator(network, layer, len(codes))) for layer in network.layers]
    results = {
        tensor.name: np.empty((len(codes), *tensor.shape), tensor.encoding.dtype)
        for tensor in network.tensors
        if tensor.name in wanted
    }
    evaluate = partial(_run_slice, network.input, steps, codes, results)
    starts = range(0, len(codes), IMAGES_AT_ONCE)
    # numpy leaves the interpreter's lock while it copies, multiplies and compares.
    with one_blas_thread(), ThreadPoolExecutor(min(len(starts), os.cpu_count() or 1) or 1) as pool:
        for _ in pool.map(evaluate, starts):
            pass
    if keep is not None:
        return results
    outputs = {name: _without_map(results[name]) for name in network.outputs}
    return outputs if len(outputs) > 1 else outputs[network.outputs[0]]


def _without_map(codes: Codes) -> Codes:
    """Return [N, C] of a 1 x 1 map [N, 1, 1, C]; other maps as they are."""
    return codes[:, 0, 0, :] if codes.shape[1:3] == (1, 1) else codes


def input_codes(tensor: "Tensor", x: ArrayLike) -> Codes:
    """Return a batch of images as checked codes of the input tensor.

    Floats become codes by round-half-even(x / scale) + zero point, computed in float64.
    """
    array = np.asarray(x)
    if array.ndim != 4 or array.shape[1:] != tensor.shape:
        wanted = ", ".join(str(size) for size in tensor.shape)
        raise RowloomError("images", f"shape is {array.shape}", f"must be (N, {wanted})")
    if array.dtype.kind == "f":
        array = _quantize(tensor, array)
    elif array.dtype.kind not in "iu":
        raise RowloomError("images", f"must be integers or floats, not {array.dtype}")
    tensor.encoding.check_codes(array, "images")
    return array.astype(tensor.encoding.dtype, copy=False)


def _quantize(tensor: "Tensor", array: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    if tensor.scale is None:
        raise RowloomError("images", f"are {array.dtype}, but {tensor.name} has no scale", "must be integer codes")
    if not np.isfinite(array).all():
        raise RowloomError("images", "hold NaN or infinity", "must be finite")
    values = np.rint(array.astype(np.float64) / tensor.scale)
    low, high = tensor.encoding.min, tensor.encoding.max
    if array.size and not (low <= values.min() and values.max() <= high):
        raise RowloomError(
            "images",
            f"hold {array.min():g} to {array.max():g}",
            f"must be in {low * tensor.scale:g} to {high * tensor.scale:g}",
        )
    return tensor.encoding.encode(values).astype(np.int64)


def _run_slice(
    source: str, steps: list[tuple[Layer, Evaluate]], codes: Codes, results: dict[str, Codes], start: int
) -> None:
    """Put one slice of the images through every layer and copy the wanted tensors out."""
    images = slice(start, start + IMAGES_AT_ONCE)
    tensors = {source: codes[images]}
    for layer, evaluate in steps:
        tensors[layer.output] = evaluate(*(tensors[name] for name in layer.inputs))
    for name, result in results.items():
        result[images] = tensors[name]


def _evaluator(network: "Network", layer: Layer, images: int) -> Evaluate:
    """Return the function from a layer's input codes to its output codes, for so many images."""
    tensors = [network.tensor(name) for name in layer.inputs]
    sources, target = [tensor.encoding for tensor in tensors], network.tensor(layer.output).encoding
    source, shape = sources[0], tensors[0].shape
    match layer:
        case Conv2d() | Linear():
            return _weighted(layer, source, target, shape, images)
        case MaxPool2d():
            return partial(max_pool, layer, source.code_min)
        case AveragePool2d():
            return _often(WindowSums.of(layer, source, target, shape), images, layer.output_shape(shape)).codes
        case Add():
            return _often(TableSums.of(layer, sources, target), images, shape).codes
        case Concat():
            return concat
        case ChannelShuffle():
            return partial(channel_shuffle, layer)
        case Upsample():
            return partial(upsample, layer)
        case DepthToSpace():
            return partial(depth_to_space, layer)
        case ArgMax():
            return lambda codes: target.encode(np.argmax(source.decode(codes), axis=3)[..., None])
    raise TypeError(f"{layer.name}: the golden model does not know {type(layer).__name__}")


def _often(prepared: Prepared, images: int, shape: Shape) -> Prepared:
    """Return a layer prepared for so many images, its output being maps [E, F, M]."""
    return replace(prepared, finish=prepared.finish.tabulated(shape[2], images * prod(shape)))


def _weighted(layer: WeightedLayer, source: Encoding, target: Encoding, shape: Shape, images: int) -> Evaluate:
    """Return the fastest way to the sums, followed by the post-operation."""
    plain = _often(_WeightedSum.of(layer, source, target), images, layer.output_shape(shape))
    if layer.operation is Operation.ADDER:
        distances = DistanceSums.of(layer, source, shape, _direction(layer))
        return lambda codes: plain.finish.codes(distances.sums(codes))
    if isinstance(layer, Conv2d) and layer.depthwise:
        taps = TapSums.of(layer, source, shape, plain.dtype, plain.finish.direction)
        return lambda codes: plain.finish.codes(taps.sums(codes))
    if not pays(layer, source, shape, IMAGES_AT_ONCE):
        return lambda codes: plain.finish.codes(plain.sums(codes))
    packed = _packed(plain, shape)
    return lambda codes: plain.finish.codes(packed.sums(codes))


def _packed(plain: "_WeightedSum", shape: Shape) -> PackedSums:
    """Return the same layer for maps [H, W, C], prepared to count bits."""
    still = plain.sums(np.zeros((1, *shape), plain.source.dtype))[0]
    return PackedSums.of(plain.layer, plain.source, still.astype(np.int64), _direction(plain.layer))


def _direction(layer: WeightedLayer) -> NDArray[np.int8]:
    """Return -1 for channels whose code falls with the sum, else +1."""
    return layer.post.direction if isinstance(layer.post, Thresholds) else np.ones(layer.out_channels, np.int8)


@dataclass(frozen=True, slots=True)
class _WeightedSum:
    """A convolution or dense layer, prepared: sums of products in the cheapest type that is exact."""

    layer: WeightedLayer
    source: Encoding
    dtype: DTypeLike
    matrix: NDArray[Any]
    """[B, R * S * C // B, M // B] for B bundles of groups: weight values, those of a falling channel negated."""
    finish: Finish

    @classmethod
    def of(cls, layer: WeightedLayer, source: Encoding, target: Encoding) -> "_WeightedSum":
        bound = magnitude_bound(layer, source)
        dtype = exact_type(bound)
        groups = layer.groups if isinstance(layer, Conv2d) else 1
        finish = Finish.of(layer, target, dtype, bound)
        values = layer.weight_encoding.decode(layer.weights).reshape(layer.out_channels, -1)
        if finish.direction is not None:
            values = values * finish.direction[:, None]
        grouped = values.reshape(groups, layer.out_channels // groups, -1, layer.weights.shape[3])
        matrix = _bundled(grouped.transpose(0, 2, 3, 1).astype(dtype))
        return cls(layer=layer, source=source, dtype=dtype, matrix=matrix, finish=finish)

    def sums(self, codes: Codes) -> NDArray[Any]:
        """Return sums [N, E, F, M], without bias, of codes [N, H, W, C]."""
        values = self._values(codes)
        layer = self.layer
        if isinstance(layer, Linear):
            return (values.reshape(len(values), -1) @ self.matrix[0])[:, None, None, :]
        slid = windows(values, layer)
        count, height, width, rows, columns, channels = slid.shape
        pixels = count * height * width
        bundles = len(self.matrix)
        if bundles == 1:
            sums = slid.reshape(pixels, -1) @ self.matrix[0]
        else:
            split = slid.reshape(count, height, width, rows, columns, bundles, channels // bundles)
            sums = (split.transpose(5, 0, 1, 2, 3, 4, 6).reshape(bundles, pixels, -1) @ self.matrix).transpose(1, 0, 2)
        return sums.reshape(count, height, width, layer.out_channels)

    def _values(self, codes: Codes) -> NDArray[Any]:
        """Return the decoded map, padded if the layer pads."""
        decoded = decode(self.source, codes, self.dtype)
        return (
            decoded if isinstance(self.layer, Linear) else pad(decoded, self.layer.padding, self.layer.pad_value or 0)
        )


def _bundled(weights: NDArray[Any]) -> NDArray[Any]:
    """Return weights [G, R * S, C / G, M / G] as a matrix [B, R * S * C / B, M / B] for each of B bundles of groups.

    Within a bundle of several groups all other entries are zero. More products, and still less time: the windows of
    a bundle are copied in longer runs, and multiplied in larger blocks.
    """
    groups, taps, channels, filters = weights.shape
    size = 1
    if weights.dtype.kind == "f":
        size = next(n for n in range(1, groups + 1) if groups % n == 0 and (n * channels >= BUNDLED or n == groups))
    bundles = groups // size
    blocks = np.zeros((bundles, taps, size, channels, size, filters), weights.dtype)
    every = np.arange(size)
    blocks[:, :, every, :, every, :] = weights.reshape(bundles, size, taps, channels, filters).swapaxes(0, 1)
    return blocks.reshape(bundles, taps * size * channels, size * filters)
