"""What runs a layer: which unit, on an array of which kind; or the vector path, or the pooling path."""

from dataclasses import replace
from typing import Any, Literal

from rowloom.hw.config import ArrayConfig
from rowloom.hw.mapping.kinds import is_depthwise
from rowloom.hw.mapping.regions import regions_of
from rowloom.hw.mapping.send import Send
from rowloom.hw.units import SPECS, UnitSpec, unit_for
from rowloom.hw.units.nearest import nearest, refusal
from rowloom.model.encodings import Binary, Encoding, Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Add, AveragePool2d, Conv2d, Layer, Linear, MaxPool2d, Upsample
from rowloom.model.network import Network
from rowloom.model.operation import Operation

__all__ = [
    "MAX_LEVELS",
    "PLANES_KEY",
    "ArrayKey",
    "Path",
    "array_keys",
    "bare",
    "check_preferred",
    "has_zero",
    "is_linear",
    "is_padded",
    "pads_live",
    "path_of",
    "seen",
    "stacked_key",
    "unit_of",
    "zeros_show",
]

#: Widest code that post-processing finds by thresholds.
MAX_LEVELS = 8

#: Unit, encodings of weights and activations, and whether padded taps are live.
ArrayKey = tuple[str, Encoding, Encoding, bool]

#: What runs a layer: an array of units, the vector path, or the pooling path.
Path = Literal["array", "vector", "pool"]

#: The array on which bit planes take turns.
PLANES_KEY: ArrayKey = ("xnor", Binary(), Binary(), False)


def path_of(layer: Layer) -> Path:
    """What runs a layer."""
    if isinstance(layer, MaxPool2d | Upsample):
        return "pool"
    return "vector" if isinstance(layer, Add | AveragePool2d | Send) or is_depthwise(layer) else "array"


def unit_of(
    layer: Layer | Send, network: Network, config: ArrayConfig, *, last: bool, planes: bool = False
) -> type[UnitSpec] | None:
    """The unit that runs a layer on an array, None for the other paths; RowloomError if nothing runs it."""
    source, target = network.tensor(layer.inputs[0]).encoding, network.tensor(layer.output).encoding
    if isinstance(layer, MaxPool2d | Upsample | Send):
        return None
    assert isinstance(layer, Conv2d | Linear | Add | AveragePool2d)
    if layer.post is None:
        if regions_of(layer, network.tensor(layer.inputs[0]).shape):
            problem = "gives raw sums of windows that have fewer taps at the edges"
            raise RowloomError(layer.name, problem, "they must become codes, or padding must count")
        if not last:
            problem = f"gives raw sums of {target.bits} bits, which must be stored"
            raise RowloomError(layer.name, problem, f"the accelerator stores codes of up to {MAX_LEVELS} bits")
    elif target.bits > MAX_LEVELS:
        raise RowloomError(layer.name, f"gives {target}", f"the accelerator gives codes of up to {MAX_LEVELS} bits")
    if path_of(layer) == "vector":
        encodings = {network.tensor(name).encoding for name in layer.inputs}
        if len({bare(encoding) for encoding in encodings}) > 1:
            raise RowloomError(layer.name, f"adds {' and '.join(map(str, encodings))}", "must be codes of one width")
        number = layer.pad_value if isinstance(layer, Conv2d) and is_padded(layer) else 0
        if number and not (isinstance(source, Uniform) and source.min <= number <= source.max):
            raise RowloomError(layer.name, f"pads with {number}", f"must be 0 or a value of {source}")
        return None
    assert isinstance(layer, Conv2d | Linear)
    zero = int(source.decode(0))
    if isinstance(layer, Conv2d) and pads_live(layer) and layer.pad_value != zero:
        least = f" or with {zero}, which code 0 of its input means" if zero else ""
        raise RowloomError(layer.name, f"pads with {layer.pad_value}", f"the accelerator pads with 0{least}")
    if planes:
        return SPECS["xnor"]
    try:
        return unit_for(layer.weight_encoding, seen(layer, source), config.units, layer.operation)
    except RowloomError as error:
        raise RowloomError(layer.name, str(error)) from None


def check_preferred(kind: type[UnitSpec], network: Network, layers: list[Any]) -> None:
    """Raise RowloomError, about the layer that is nearest to it, if a unit that was asked for takes no layer."""
    pairs = {
        layer.name: (layer.weight_encoding, seen(layer, network.tensor(layer.input).encoding))
        for layer in layers
        if path_of(layer) == "array" and layer.operation is kind.OPERATION
    }
    if not pairs:
        what = "products" if kind.OPERATION is Operation.MULTIPLY else "distances"
        raise RowloomError(f"{kind.NAME} unit", f"is asked for, but no layer of {network.name} sums {what}")
    if not any(kind.accepts(*pair) for pair in pairs.values()):
        name = min(pairs, key=lambda name: nearest([kind], *pairs[name])[3])
        raise RowloomError(name, f"{kind.NAME} is asked for, but takes no layer: {refusal(kind, *pairs[name])}")


def array_keys(network: Network, layers: list[Any], specs: list[type[UnitSpec] | None]) -> list[ArrayKey | None]:
    """A key for each layer, None for pooling: layers of equal keys share an array."""
    plain = [
        None if spec is None else (spec.NAME, layer.weight_encoding, seen(layer, network.tensor(layer.input).encoding))
        for layer, spec in zip(layers, specs, strict=True)
    ]
    live = {key for key, layer in zip(plain, layers, strict=True) if key and pads_live(layer)}
    # A layer without padding takes either kind of array.
    return [
        None if key is None else (*key, key in live and not (is_padded(layer) and not pads_live(layer)))
        for key, layer in zip(plain, layers, strict=True)
    ]


def stacked_key(network, layers, keys) -> ArrayKey | None:
    """The key of the array that may be a small stacked one: the input's alone, beside others."""
    first = {key for layer, key in zip(layers, keys, strict=True) if network.input in layer.inputs}
    others = {key for layer, key in zip(layers, keys, strict=True) if network.input not in layer.inputs and key}
    if len(first) != 1 or not others or first & others:
        return None
    key = first.pop()
    # Rows that are padding stand beside rows that are not: their zeros must mean 0.
    if key is None or key[0] == "xnor" or int(key[2].decode(0)) != 0:
        return None
    if any(zeros_show(layer) for layer in layers if network.input in layer.inputs):
        return None
    return key


def seen(layer: Any, encoding: Encoding) -> Encoding:
    """What a layer's array takes the codes of its input for: products may be those of the bare codes."""
    return bare(encoding) if is_linear(layer) else encoding


def is_linear(layer: Any) -> bool:
    """Whether a layer's sums are sums of products of values."""
    return not isinstance(layer, Send) and getattr(layer, "operation", Operation.MULTIPLY) is Operation.MULTIPLY


def is_padded(layer: Any) -> bool:
    """Whether some taps of a layer lie outside of the map."""
    return isinstance(layer, Conv2d) and any(layer.padding)


def pads_live(layer: Any) -> bool:
    """Whether padded taps contribute what a value makes of their weights, instead of nothing."""
    if not is_padded(layer) or layer.pad_value is None:
        return False
    return layer.pad_value != 0 or layer.operation is not Operation.MULTIPLY


def zeros_show(layer: Any) -> bool:
    """Whether a padded tap is not a tap of code 0, even where code 0 means 0: it cannot share a word with live ones."""
    return is_padded(layer) and layer.operation is not Operation.MULTIPLY and not pads_live(layer)


def bare(encoding: Encoding) -> Encoding:
    """The encoding of the bare code, where a value is code - zero_point."""
    return replace(encoding, zero_point=0) if isinstance(encoding, Uniform) else encoding


def has_zero(encoding: Encoding) -> bool:
    """Whether code 0 means 0."""
    return int(encoding.decode(0)) == 0
