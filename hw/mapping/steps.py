"""The layers of a network as steps of the accelerator: which array runs each, on which layout."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from rowloom.hw.config import ArrayConfig
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.ends import ends_of
from rowloom.hw.mapping.fold import Fold, Window, window_of
from rowloom.hw.mapping.maps import Maps, is_depthwise, is_view, maps_of
from rowloom.hw.mapping.planes import Planes, planes_for
from rowloom.hw.mapping.send import Send
from rowloom.hw.mapping.weights import RowWeights
from rowloom.hw.parameters import ArrayParameters, VectorParameters
from rowloom.hw.units import SPECS, UnitSpec, unit_for
from rowloom.hw.units.nearest import nearest, refusal
from rowloom.model.encodings import Binary, Encoding, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Add, AveragePool2d, Conv2d, Layer, Linear, MaxPool2d, SummingLayer
from rowloom.model.network import Network
from rowloom.model.operation import Operation
from rowloom.model.post import Post

__all__ = ["MAX_LEVELS", "Path", "Step", "steps_of"]

#: Widest code that post-processing finds by thresholds.
MAX_LEVELS = 8

#: Unit, encodings of weights and activations, and whether padded taps are live.
ArrayKey = tuple[str, Encoding, Encoding, bool]

#: What runs a layer: an array of units, the vector path, or the pooling path.
Path = Literal["array", "vector", "pool"]

#: The array on which bit planes take turns.
_PLANES: ArrayKey = ("xnor", Binary(), Binary(), False)


@dataclass(kw_only=True)
class Step:
    """A layer while it is being compiled.

    Parameters
    ----------
    layer : Layer
    name : str
        What reports call it.
    path : {"array", "vector", "pool"}
    spec : type of UnitSpec or None
        Unit that runs it on an array.
    inputs : tuple of str
        Tensors that it reads.
    source, target : Encoding
        Of its input and output. A source whose value is code - zero_point is the bare code; what follows from
        that is known when the network is compiled.
    zero : int
        Code of the source that means 0, and that padding holds.
    layouts : tuple of Layout
        Of its inputs.
    places : int64 [M]
        Place of each output channel among the codes of a pixel.
    window : Window
    argmax : bool
        The last layer's results leave as the place of the greatest.
    tensor : str
        What leaves, or stays in the banks.
    final : bool
        The output leaves instead of staying in the banks.
    array : ArrayParameters, VectorParameters or None
        Runs it, None for pooling.
    fold : Fold
        Set when the array is known.
    weights : RowWeights
        Set with the fold, for steps that sum.
    span : (int, int)
        Least and greatest sum on the vector path, set with the weights.
    bounds : (list of int, list of int)
        Least and greatest sum of every output channel, in the model's terms; empty where nothing is summed.
    planes : Planes or None
        Set where the layer runs as bit planes on the xnor array.
    """

    layer: Any
    name: str
    path: Path
    spec: type[UnitSpec] | None
    inputs: tuple[str, ...]
    source: Encoding
    target: Encoding
    zero: int
    layouts: tuple[Layout, ...]
    places: np.ndarray
    window: Window
    argmax: bool
    tensor: str
    final: bool
    array: Any
    bounds: tuple[list[int], list[int]]
    planes: Planes | None = None
    fold: Fold = field(init=False)
    weights: RowWeights = field(init=False)
    span: tuple[int, int] = field(init=False)
    weight_base: int = 0
    threshold_base: int = 0
    pair_base: int = 0

    @property
    def layout(self) -> Layout:
        """Of its first input."""
        return self.layouts[0]

    @property
    def pads(self) -> bool:
        """Whether padded taps hold another code than 0."""
        return bool(self.zero) and self.path != "pool" and not getattr(self.array, "live_padding", False)

    @property
    def scale(self) -> int:
        """The unit's sums are sums of products shifted by so much, beside their offset."""
        return 0 if self.planes is None else self.planes.scale

    def row_range(self, group: int) -> tuple[int, int]:
        """Least and greatest sum that a processing element accumulates, in the unit's offset form."""
        array, fold = self.array, self.fold
        low, high = array.spec.word_range(array.lanes * (group if array.stacked else 1))
        if self.planes is None:
            return low * fold.accumulation, high * fold.accumulation
        # Sums of planes are counts: they only grow, and lanes without a channel count nothing where code 0 means 0.
        if self.planes.solid:
            rows = self.window.rows if fold.merged else fold.chunks
            words = rows * fold.taps * self.layout.channels
            high = 2 if array.half else 1
        else:
            words = fold.chunks * fold.taps * fold.words
        return 0, int(self.planes.coefficients.sum()) * words * high

    @property
    def levels(self) -> int:
        """Comparisons that find an output code."""
        if self.layer_post is None:
            return 1
        # a lane of one level adds no least code
        return max(self.target.bits, 2 if self.target.code_min else 1)

    @property
    def layer_post(self) -> Post:
        """What turns the layer's sums into codes, if anything does."""
        return None if self.path == "pool" else self.layer.post


def _seen(layer: Any, encoding: Encoding) -> Encoding:
    """What a layer's array takes the codes of its input for: products may be those of the bare codes."""
    return _bare(encoding) if _linear(layer) else encoding


def _linear(layer: Any) -> bool:
    """Whether a layer's sums are sums of products of values."""
    return not isinstance(layer, Send) and getattr(layer, "operation", Operation.MULTIPLY) is Operation.MULTIPLY


def _keys(network: Network, layers: list[Any], specs: list[type[UnitSpec] | None]) -> list[ArrayKey | None]:
    """A key for each layer, None for pooling: layers of equal keys share an array."""
    plain = [
        None if spec is None else (spec.NAME, layer.weight_encoding, _seen(layer, network.tensor(layer.input).encoding))
        for layer, spec in zip(layers, specs, strict=True)
    ]
    live = {key for key, layer in zip(plain, layers, strict=True) if key and _pads_live(layer)}
    # A layer without padding takes either kind of array.
    return [
        None if key is None else (*key, key in live and not (_padded(layer) and not _pads_live(layer)))
        for key, layer in zip(plain, layers, strict=True)
    ]


def _padded(layer: Any) -> bool:
    return isinstance(layer, Conv2d) and any(layer.padding)


def _pads_live(layer: Any) -> bool:
    """Whether padded taps contribute what a value makes of their weights, instead of nothing."""
    if not _padded(layer) or layer.pad_value is None:
        return False
    return layer.pad_value != 0 or layer.operation is not Operation.MULTIPLY


def _zeros_show(layer: Any) -> bool:
    """Whether a padded tap is not a tap of code 0, even where code 0 means 0: it cannot share a word with live ones."""
    return _padded(layer) and layer.operation is not Operation.MULTIPLY and not _pads_live(layer)


def _bare(encoding: Encoding) -> Encoding:
    """The encoding of the bare code, where a value is code - zero_point."""
    return replace(encoding, zero_point=0) if isinstance(encoding, Uniform) else encoding


def steps_of(
    network: Network, config: ArrayConfig, banks: int, planes: Collection[str] = ()
) -> tuple[list[Step], list[ArrayParameters], list[VectorParameters], Maps]:
    """The steps of a network and the paths that they need, still without widths and depths.

    Each unit that is used, for each pair of encodings, gets an array of the configured size. Only
    the first layer's, where no other layer shares it, is a small one whose elements take all input
    rows of a column at once (*stacked*). The layers named in ``planes`` run as bit planes on the
    xnor array.

    Raises
    ------
    RowloomError
        Naming the layer that the accelerator cannot run, and why; or a unit that was asked for in vain.
    """
    ends = ends_of(network)
    maps = maps_of(network, ends.layers, config.lanes)
    layers = [layer for layer in ends.layers if not is_view(layer)]
    specs = [
        _unit_of(layer, network, config, last=layer.name in ends.leaving, planes=layer.name in planes)
        for layer in layers
    ]
    for name in config.units:
        _check_preferred(SPECS[name], network, layers)
    keys = [
        _PLANES if layer.name in planes else key
        for layer, key in zip(layers, _keys(network, layers, specs), strict=True)
    ]
    sources = [network.tensor(layer.inputs[0]).encoding for layer in layers]
    stacked = _stacked_key(network, layers, keys)
    arrays: dict[ArrayKey, ArrayParameters] = {}
    for key in keys:
        if key is not None and key not in arrays:
            small = key == stacked
            arrays[key] = ArrayParameters(
                unit=key[0],
                rows=config.drains if small else config.rows,
                lanes=config.input_lanes if small else config.lanes,
                stacked=small,
                weights=key[1],
                activations=key[2],
                live_padding=key[3],
                weight_depth=1,
                sum_bits=1,
                planes=bool(planes) and key == _PLANES,
            )
    vectors: dict[VectorParameters, VectorParameters] = {}
    layouts: dict[str, Layout] = {}
    kinds: dict[str, tuple[int, int, bool]] = {}
    steps = []
    for layer, spec, key, encoding in zip(layers, specs, keys, sources, strict=True):
        tensor, target = network.tensor(layer.inputs[0]), network.tensor(layer.output)
        lanes = arrays[key].lanes if key else config.lanes
        for name in layer.inputs:
            first = name == network.input and key is not None
            layout = _layout(layer, network.tensor(name), lanes, banks, maps, first=first)
            if layer.name in planes and tensor.encoding.bits > 1:
                layout = replace(layout, planes=True)
            kind = (layout.lanes, layout.bits, layout.planes)
            if layouts.setdefault(name, layout) != layout or kinds.setdefault(maps.buffer[name], kind) != kind:
                raise RowloomError(layer.name, f"needs {name} in another layout than an earlier layer")
        path = _path(layer)
        layout = layouts[layer.inputs[0]]
        array: ArrayParameters | VectorParameters | None = arrays[key] if key else None
        source = _seen(layer, encoding)
        if path == "vector":
            source = _affine(encoding) or encoding
            if isinstance(layer, Send):
                source = Uniform(bits=encoding.bits, signed=encoding.signed)
            gated = _affine(encoding) is None and not isinstance(layer, Send) and not _has_zero(encoding)
            parameters = VectorParameters(lanes=config.lanes, activations=source, gated=gated)
            array = vectors.setdefault(parameters, parameters)
        places = maps.places[layer.inputs[0] if isinstance(layer, Send) else layer.output]
        shape = tensor.shape if isinstance(layer, Send) else target.shape
        if isinstance(layer, Send) and not np.array_equal(places, np.arange(len(places))):
            raise RowloomError(layer.output, "leaves with its channels in another order than they lie in memory")
        steps.append(
            Step(
                layer=layer,
                name=layer.name,
                path=path,
                spec=spec,
                inputs=layer.inputs,
                source=source,
                target=target.encoding,
                zero=_zero(encoding) if _linear(layer) else 0,
                layouts=tuple(layouts[name] for name in layer.inputs),
                places=places,
                window=replace(window_of(layer, layout, shape), filters=int(places.max()) + 1),
                argmax=layer.name in ends.argmax,
                tensor=ends.leaving.get(layer.name, layer.output),
                final=layer.name in ends.leaving,
                array=array,
                bounds=network.sum_bounds(layer) if isinstance(layer, SummingLayer) else ([], []),
                planes=planes_for(layer.weight_encoding, encoding) if layer.name in planes else None,
            )
        )
    return steps, list(arrays.values()), list(vectors.values()), maps


def _path(layer: Layer) -> Path:
    """What runs a layer."""
    if isinstance(layer, MaxPool2d):
        return "pool"
    return "vector" if isinstance(layer, Add | AveragePool2d | Send) or is_depthwise(layer) else "array"


def _zero(encoding: Encoding) -> int:
    """Code that means 0, where a value is code - zero_point."""
    return encoding.zero_point if isinstance(encoding, Uniform) else 0


def _affine(encoding: Encoding) -> Encoding | None:
    """The encoding of the bare code, where a value is an affine function of the code; else None."""
    if isinstance(encoding, Uniform):
        return _bare(encoding)
    return None


def _has_zero(encoding: Encoding) -> bool:
    """Whether code 0 means 0."""
    return int(encoding.decode(0)) == 0


def _unit_of(
    layer: Layer | Send, network: Network, config: ArrayConfig, *, last: bool, planes: bool = False
) -> type[UnitSpec] | None:
    """The unit that runs a layer on an array, None for the other paths; RowloomError if nothing runs it."""
    source, target = network.tensor(layer.inputs[0]).encoding, network.tensor(layer.output).encoding
    if isinstance(layer, MaxPool2d | Send):
        return None
    position = f"layer {network.layers.index(layer)} ({layer.name})"
    if not isinstance(layer, Conv2d | Linear | Add | AveragePool2d):
        raise RowloomError(position, f"the accelerator does not run {layer.op} here")
    if isinstance(layer, AveragePool2d) and not layer.count_include_pad:
        rows, columns = layer.taps(network.tensor(layer.input).shape)
        if len({*rows}) > 1 or len({*columns}) > 1:
            raise RowloomError(
                position, "averages windows of fewer taps at the edges", "padding must count, or be none"
            )
    if layer.post is None:
        if not last:
            raise RowloomError(layer.name, "gives raw sums", "only the last layer may")
    elif target.bits > MAX_LEVELS:
        raise RowloomError(layer.name, f"gives {target}", f"the accelerator gives codes of up to {MAX_LEVELS} bits")
    if _path(layer) == "vector":
        encodings = {network.tensor(name).encoding for name in layer.inputs}
        if len({_bare(encoding) for encoding in encodings}) > 1:
            raise RowloomError(layer.name, f"adds {' and '.join(map(str, encodings))}", "must be codes of one width")
        if len(layer.inputs) > 2:
            raise RowloomError(layer.name, f"adds {len(layer.inputs)} maps", "the accelerator adds two at a time")
        return None
    assert isinstance(layer, Conv2d | Linear)
    zero = int(source.decode(0))
    if isinstance(layer, Conv2d) and _pads_live(layer) and layer.pad_value != zero:
        least = f" or with {zero}, which code 0 of its input means" if zero else ""
        raise RowloomError(layer.name, f"pads with {layer.pad_value}", f"the accelerator pads with 0{least}")
    if planes:
        return SPECS["xnor"]
    try:
        return unit_for(layer.weight_encoding, _seen(layer, source), config.units, layer.operation)
    except RowloomError as error:
        raise RowloomError(layer.name, str(error)) from None


def _check_preferred(kind: type[UnitSpec], network: Network, layers: list[Any]) -> None:
    """Raise RowloomError, about the layer that is nearest to it, if a unit that was asked for takes no layer."""
    pairs = {
        layer.name: (layer.weight_encoding, _seen(layer, network.tensor(layer.input).encoding))
        for layer in layers
        if _path(layer) == "array" and layer.operation is kind.OPERATION
    }
    if not pairs:
        what = "products" if kind.OPERATION is Operation.MULTIPLY else "distances"
        raise RowloomError(f"{kind.NAME} unit", f"is asked for, but no layer of {network.name} sums {what}")
    if not any(kind.accepts(*pair) for pair in pairs.values()):
        name = min(pairs, key=lambda name: nearest([kind], *pairs[name])[3])
        raise RowloomError(name, f"{kind.NAME} is asked for, but takes no layer: {refusal(kind, *pairs[name])}")


def _stacked_key(network, layers, keys) -> ArrayKey | None:
    """The key of the array that may be a small stacked one: the input's alone, beside others."""
    first = {key for layer, key in zip(layers, keys, strict=True) if network.input in layer.inputs}
    others = {key for layer, key in zip(layers, keys, strict=True) if network.input not in layer.inputs and key}
    if len(first) != 1 or not others or first & others:
        return None
    key = first.pop()
    # Rows that are padding stand beside rows that are not: their zeros must mean 0.
    if key is None or key[0] == "xnor" or int(key[2].decode(0)) != 0:
        return None
    if any(_zeros_show(layer) for layer in layers if network.input in layer.inputs):
        return None
    return key


def _layout(layer, tensor, lanes: int, banks: int, maps: Maps, *, first: bool) -> Layout:
    """The layout in which a layer reads an input; the windows of the network's input are packed if they fit."""
    encoding = tensor.encoding
    places = maps.places[tensor.name]
    order = () if np.array_equal(places, np.arange(len(places))) else tuple(int(place) for place in places)
    plain = Layout(
        shape=tensor.shape, bits=encoding.bits, lanes=lanes, banks=banks, signed=encoding.signed, order=order
    )
    if not first or not isinstance(layer, Conv2d) or layer.groups > 1 or not _has_zero(_bare(encoding)):
        return plain
    if _zeros_show(layer) and any(layer.padding[2:]):
        return plain
    taps, channels = layer.weights.shape[2], tensor.shape[2]
    if 1 < taps * channels <= lanes and taps > 1 and layer.dilation[1] == 1 and layer.padding[2] < taps:
        columns = layer.output_shape(tensor.shape)[1]
        return replace(plain, window=taps, stride=layer.stride[1], padding=layer.padding[2], columns=columns)
    return plain
