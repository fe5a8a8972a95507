"""The golden model: what a network computes, exactly, in numpy."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from rowloom.model.arith import count_thresholds, requantize
from rowloom.model.blas import one_blas_thread
from rowloom.model.bounds import magnitude_bound
from rowloom.model.distances import DistanceSums
from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.layers import ArgMax, Conv2d, Layer, Linear, MaxPool2d, Shape, WeightedLayer
from rowloom.model.operation import Operation
from rowloom.model.packed import PackedSums, pays
from rowloom.model.post import Requantize, Thresholds
from rowloom.model.windows import windows

if TYPE_CHECKING:
    from rowloom.model.network import Network, Tensor

IMAGES_AT_ONCE = 16
"""Images that go through a layer together: few enough that their sums stay in a core's cache."""

Codes = NDArray[Any]
Evaluate = Callable[[Codes], Codes]


@overload
def run(network: "Network", x: ArrayLike, keep: None = None) -> Codes: ...
@overload
def run(network: "Network", x: ArrayLike, keep: Literal["all"]) -> dict[str, Codes]: ...
@overload
def run(network: "Network", x: ArrayLike, keep: Literal["all"] | None) -> Codes | dict[str, Codes]: ...
def run(network: "Network", x: ArrayLike, keep: Literal["all"] | None = None) -> Codes | dict[str, Codes]:
    """Evaluate a network on a batch of images; every integer is exact.

    Parameters
    ----------
    x : array [N, H, W, C]
        Integer codes of the input tensor, or floats that the input tensor's scale turns into codes.
    keep : "all" or None
        Whether to return every tensor or the output.

    Returns
    -------
    array or dict of str to array
        Codes, each in its encoding's ``dtype``. Of the output: [N, M] for a 1 x 1 map, else [N, H, W, C]; with
        ``keep="all"`` every tensor by its name, the input too, always [N, H, W, C].

    Raises
    ------
    RowloomError
        If the shape, type or range of ``x`` is wrong.
    """
    if keep not in (None, "all"):
        raise RowloomError("keep", f"must be None or 'all', not {keep!r}")
    if keep is None and len(network.outputs) > 1:
        raise RowloomError(network.name, f"has {len(network.outputs)} outputs", "run it with keep='all'")
    codes = input_codes(network.tensor(network.input), x)
    wanted = [tensor.name for tensor in network.tensors] if keep == "all" else list(network.outputs)
    steps = [(layer, _evaluator(network, layer)) for layer in network.layers]
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
    if keep == "all":
        return results
    output = results[network.outputs[0]]
    return output[:, 0, 0, :] if output.shape[1:3] == (1, 1) else output


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
        tensors[layer.output] = evaluate(tensors[layer.input])
    for name, result in results.items():
        result[images] = tensors[name]


def _evaluator(network: "Network", layer: Layer) -> Evaluate:
    """Return the function from a layer's input codes to its output codes."""
    source, target = network.tensor(layer.input).encoding, network.tensor(layer.output).encoding
    if isinstance(layer, MaxPool2d):
        return partial(_max_pool, layer, source.code_min)
    if isinstance(layer, ArgMax):
        return lambda codes: target.encode(np.argmax(source.decode(codes), axis=3)[..., None])
    if isinstance(layer, Conv2d | Linear):
        return _weighted(layer, source, target, network.tensor(layer.input).shape)
    raise TypeError(f"{layer.name}: the golden model does not know {type(layer).__name__}")


def _weighted(layer: WeightedLayer, source: Encoding, target: Encoding, shape: Shape) -> Evaluate:
    """Return the fastest way to the sums, followed by the post-operation."""
    plain = _WeightedSum.of(layer, source, target)
    if layer.operation is Operation.ADDER:
        distances = DistanceSums.of(layer, source, shape, _direction(layer))
        return lambda codes: plain.codes(distances.sums(codes))
    if not pays(layer, source, shape, IMAGES_AT_ONCE):
        return lambda codes: plain.codes(plain.sums(codes))
    packed = _packed(plain, shape)
    return lambda codes: plain.codes(packed.sums(codes))


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
    target: Encoding
    dtype: DTypeLike
    matrix: NDArray[Any]
    """[G, R * S * C // G, M // G]: weight values, those of a falling channel negated."""
    bias: NDArray[Any] | None
    """[M], negated alike."""
    thresholds: NDArray[Any] | None
    """[M, N] in ``dtype``; those out of reach are brought to where every type of sum holds them."""

    @classmethod
    def of(cls, layer: WeightedLayer, source: Encoding, target: Encoding) -> "_WeightedSum":
        bound = magnitude_bound(layer, source)
        # A float holds every integer up to 2^24 (2^53), so any order of adding them is exact.
        dtype = np.dtype(np.float32 if bound < 1 << 24 else np.float64 if bound < 1 << 53 else np.int64)
        groups = layer.groups if isinstance(layer, Conv2d) else 1
        values = layer.weight_encoding.decode(layer.weights).reshape(layer.out_channels, -1)
        bias = layer.bias
        thresholds = None
        if isinstance(layer.post, Thresholds):
            values = values * layer.post.direction[:, None]
            bias = None if bias is None else bias * layer.post.direction
            # Beyond the bound a threshold is never (always) reached, and may not be exact in dtype.
            thresholds = np.clip(layer.post.values, -bound, bound + 1).astype(dtype)
        matrix = values.reshape(groups, layer.out_channels // groups, -1).transpose(0, 2, 1)
        return cls(
            layer=layer,
            source=source,
            target=target,
            dtype=dtype,
            matrix=np.ascontiguousarray(matrix, dtype=dtype),
            bias=None if bias is None else bias.astype(dtype),
            thresholds=thresholds,
        )

    def codes(self, sums: NDArray[Any]) -> Codes:
        """Return output codes [N, E, F, M] of sums [N, E, F, M] without bias, which are overwritten."""
        if self.bias is not None:
            sums += self.bias.astype(sums.dtype, copy=False)
        post = self.layer.post
        if self.thresholds is not None:
            counts = count_thresholds(sums, self.thresholds.astype(sums.dtype, copy=False))
            if self.target.code_min:
                counts = counts.astype(np.int64) + self.target.code_min
            return counts.astype(self.target.dtype, copy=False)
        integers = sums.astype(np.int64)
        if isinstance(post, Requantize):
            integers = requantize(
                integers,
                multiplier=post.multiplier,
                shift=post.shift,
                zero_point=post.output_zero_point,
                code_min=self.target.code_min,
                code_max=self.target.code_max,
            )
            return integers.astype(self.target.dtype)
        return self.target.encode(integers)

    def sums(self, codes: Codes) -> NDArray[Any]:
        """Return sums [N, E, F, M], without bias, of codes [N, H, W, C]."""
        values = self._values(codes)
        layer = self.layer
        if isinstance(layer, Linear):
            return (values.reshape(len(values), -1) @ self.matrix[0])[:, None, None, :]
        slid = windows(values, layer)
        count, height, width, rows, columns, channels = slid.shape
        pixels = count * height * width
        if layer.groups == 1:
            sums = slid.reshape(pixels, -1) @ self.matrix[0]
        else:
            split = slid.reshape(pixels, rows * columns, layer.groups, channels // layer.groups)
            grouped = split.transpose(2, 0, 1, 3).reshape(layer.groups, pixels, -1) @ self.matrix
            sums = grouped.transpose(1, 0, 2)
        return sums.reshape(count, height, width, layer.out_channels)

    def _values(self, codes: Codes) -> NDArray[Any]:
        """Return the decoded map, padded if the layer pads."""
        decoded = _decode(self.source, codes, self.dtype)
        if isinstance(self.layer, Linear) or not any(self.layer.padding):
            return decoded
        top, bottom, left, right = self.layer.padding
        count, height, width, channels = decoded.shape
        padded = np.full(
            (count, top + height + bottom, left + width + right, channels), self.layer.pad_value or 0, self.dtype
        )
        padded[:, top : top + height, left : left + width] = decoded
        return padded


def _decode(encoding: Encoding, codes: Codes, dtype: DTypeLike) -> NDArray[Any]:
    """Return values in ``dtype``; narrow codes by look-up, which costs one pass."""
    if encoding.bits > 8:
        return encoding.decode(codes).astype(dtype)
    every = np.arange(encoding.code_min, encoding.code_max + 1)
    # Negative codes index the table from its end, where a roll has put their values.
    table = np.roll(encoding.decode(every).astype(dtype), encoding.code_min)
    return table[codes]


def _max_pool(layer: MaxPool2d, lowest: int, codes: Codes) -> Codes:
    """Return the greatest code of each window; padding holds the lowest code, so it never wins alone."""
    top, bottom, left, right = layer.padding
    if any(layer.padding):
        codes = np.pad(codes, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=lowest)
    height, width, _ = layer.output_shape((codes.shape[1] - top - bottom, codes.shape[2] - left - right, 1))
    result: Codes | None = None
    for r in range(layer.kernel[0]):
        for s in range(layer.kernel[1]):
            tap = codes[:, r :: layer.stride[0], s :: layer.stride[1]][:, :height, :width]
            result = tap if result is None else np.maximum(result, tap)
    assert result is not None
    return result
