"""The layers of a network as steps of the accelerator: which array runs each, on which layout."""

from dataclasses import dataclass, field, replace
from typing import Any

from rowloom.hw.config import ArrayConfig
from rowloom.hw.layout import Layout
from rowloom.hw.mapping.fold import Fold, Window, window_of
from rowloom.hw.mapping.weights import RowWeights
from rowloom.hw.parameters import ArrayParameters
from rowloom.hw.units import SPECS, UnitSpec, unit_for
from rowloom.hw.units.nearest import nearest, refusal
from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.layers import ArgMax, Conv2d, Layer, Linear, MaxPool2d
from rowloom.model.network import Network
from rowloom.model.operation import Operation
from rowloom.model.post import Thresholds

__all__ = ["MAX_LEVELS", "Step", "steps_of"]

#: Widest code that post-processing finds by thresholds.
MAX_LEVELS = 8

#: Unit, encodings of weights and activations, and whether padded taps are live.
ArrayKey = tuple[str, Encoding, Encoding, bool]


@dataclass(kw_only=True)
class Step:
    """A layer while it is being compiled.

    Parameters
    ----------
    layer : Conv2d, Linear or MaxPool2d
    spec : type of UnitSpec or None
        Unit that runs it, None for pooling.
    source, target : Encoding
        Of its input and output.
    layout : Layout
        Of its input.
    window : Window
    argmax : bool
        The last layer's results leave as the place of the greatest.
    tensor : str
        What leaves, or stays in the banks.
    array : ArrayParameters or None
        Runs it, None for pooling.
    fold : Fold
        Set when the array is known.
    weights : RowWeights
        Set with the fold, for steps with a unit.
    """

    layer: Any  # Conv2d or Linear, with a spec, else MaxPool2d
    spec: type[UnitSpec] | None
    source: Encoding
    target: Encoding
    layout: Layout
    window: Window
    argmax: bool
    tensor: str
    array: Any  # ArrayParameters, with a spec, else None
    fold: Fold = field(init=False)
    weights: RowWeights = field(init=False)
    weight_base: int = 0
    threshold_base: int = 0

    @property
    def levels(self) -> int:
        """Comparisons that find an output code."""
        if self.layer_post is None:
            return 1
        # a lane of one level adds no least code
        return max(self.target.bits, 2 if self.target.code_min else 1)

    @property
    def layer_post(self) -> Thresholds | None:
        """The layer's thresholds, if it has any."""
        return None if isinstance(self.layer, MaxPool2d) else self.layer.post


def _keys(network: Network, layers: list[Any], specs: list[type[UnitSpec] | None]) -> list[ArrayKey | None]:
    """A key for each layer, None for pooling: layers of equal keys share an array."""
    plain = [
        None if spec is None else (spec.NAME, layer.weight_encoding, network.tensor(layer.input).encoding)
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


def steps_of(network: Network, config: ArrayConfig, banks: int) -> tuple[list[Step], list[ArrayParameters]]:
    """The steps of a network and the arrays that they need, still without widths and depths.

    Each unit that is used, for each pair of encodings, gets an array of the configured size. Only
    the first layer's, where no other layer shares it, is a small one whose elements take all input
    rows of a column at once (*stacked*).

    Raises
    ------
    RowloomError
        Naming the layer that the accelerator cannot run, and why; or a unit that was asked for in vain.
    """
    layers, argmax = _without_argmax(network)
    specs = [_unit_of(layer, network, config, last=layer is layers[-1]) for layer in layers]
    for name in config.units:
        _check_preferred(SPECS[name], network, layers)
    keys = _keys(network, layers, specs)
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
            )
    layouts: dict[str, Layout] = {}
    steps = []
    for layer, spec, key in zip(layers, specs, keys, strict=True):
        tensor, target = network.tensor(layer.input), network.tensor(layer.output)
        lanes = arrays[key].lanes if key else config.lanes
        layout = _layout(layer, tensor, lanes, banks, first=layer.input == network.input and key is not None)
        if layouts.setdefault(layer.input, layout) != layout:
            raise RowloomError(layer.name, f"needs {layer.input} in another layout than an earlier layer")
        last = layer is layers[-1]
        steps.append(
            Step(
                layer=layer,
                spec=spec,
                source=tensor.encoding,
                target=target.encoding,
                layout=layout,
                window=window_of(layer, layout, target.shape),
                argmax=last and argmax is not None,
                tensor=argmax.output if last and argmax is not None else layer.output,
                array=arrays[key] if key else None,
            )
        )
    return steps, list(arrays.values())


def _without_argmax(network: Network) -> tuple[list[Any], ArgMax | None]:
    """The layers that engines run, and the argmax of the results if the network ends in one."""
    if len(network.outputs) != 1:
        raise RowloomError(network.name, f"has {len(network.outputs)} outputs", "the accelerator takes one")
    layers = list(network.layers)
    argmax = layers[-1] if isinstance(layers[-1], ArgMax) else None
    if argmax is not None:
        layers.pop()
        if not layers or layers[-1].output != argmax.input:
            raise RowloomError(argmax.name, "argmax must follow a convolution or linear layer")
    if not layers or isinstance(layers[-1], MaxPool2d):
        raise RowloomError(network.layers[-1].name, "the last layer must be a convolution or linear layer")
    return layers, argmax


def _unit_of(layer: Layer, network: Network, config: ArrayConfig, *, last: bool) -> type[UnitSpec] | None:
    """The unit that runs a layer, None for pooling; RowloomError if nothing does."""
    source, target = network.tensor(layer.inputs[0]).encoding, network.tensor(layer.output).encoding
    if isinstance(layer, MaxPool2d):
        return None
    if not isinstance(layer, Conv2d | Linear):
        place = f"layer {network.layers.index(layer)} ({layer.name})"
        raise RowloomError(place, f"the accelerator does not run {layer.op} here")
    if isinstance(layer, Conv2d):
        if layer.groups != 1:
            raise RowloomError(layer.name, f"has {layer.groups} groups", "the accelerator runs 1")
        zero = int(source.decode(0))
        if _pads_live(layer) and layer.pad_value != zero:
            least = f" or with {zero}, which code 0 of its input means" if zero else ""
            raise RowloomError(layer.name, f"pads with {layer.pad_value}", f"the accelerator pads with 0{least}")
    try:
        spec = unit_for(layer.weight_encoding, source, config.units, layer.operation)
    except RowloomError as error:
        raise RowloomError(layer.name, str(error)) from None
    if layer.post is None:
        if not last:
            raise RowloomError(layer.name, "gives raw sums", "only the last layer may")
    elif not isinstance(layer.post, Thresholds):
        raise RowloomError(layer.name, "requantizes", "the accelerator takes thresholds or raw sums")
    elif target.bits > MAX_LEVELS:
        raise RowloomError(layer.name, f"gives {target}", f"the accelerator gives codes of up to {MAX_LEVELS} bits")
    return spec


def _check_preferred(kind: type[UnitSpec], network: Network, layers: list[Any]) -> None:
    """Raise RowloomError, about the layer that is nearest to it, if a unit that was asked for takes no layer."""
    pairs = {
        layer.name: (layer.weight_encoding, network.tensor(layer.input).encoding)
        for layer in layers
        if not isinstance(layer, MaxPool2d) and layer.operation is kind.OPERATION
    }
    if not pairs:
        what = "products" if kind.OPERATION is Operation.MULTIPLY else "distances"
        raise RowloomError(f"{kind.NAME} unit", f"is asked for, but no layer of {network.name} sums {what}")
    if not any(kind.accepts(*pair) for pair in pairs.values()):
        name = min(pairs, key=lambda name: nearest([kind], *pairs[name])[3])
        raise RowloomError(name, f"{kind.NAME} is asked for, but takes no layer: {refusal(kind, *pairs[name])}")


def _stacked_key(network, layers, keys) -> ArrayKey | None:
    """The key of the array that may be a small stacked one: the input's alone, beside others."""
    first = {key for layer, key in zip(layers, keys, strict=True) if layer.input == network.input}
    others = {key for layer, key in zip(layers, keys, strict=True) if layer.input != network.input and key}
    if len(first) != 1 or not others or first & others:
        return None
    key = first.pop()
    # Rows that are padding stand beside rows that are not: their zeros must mean 0.
    if key is None or key[0] == "xnor" or int(key[2].decode(0)) != 0:
        return None
    if any(_zeros_show(layer) for layer in layers if layer.input == network.input):
        return None
    return key


def _layout(layer, tensor, lanes: int, banks: int, *, first: bool) -> Layout:
    """The layout in which a layer reads its input; the windows of the network's input are packed if they fit."""
    encoding = tensor.encoding
    plain = Layout(shape=tensor.shape, bits=encoding.bits, lanes=lanes, banks=banks, signed=encoding.signed)
    if not first or not isinstance(layer, Conv2d) or int(encoding.decode(0)) != 0:
        return plain
    if _zeros_show(layer) and any(layer.padding[2:]):
        return plain
    taps, channels = layer.weights.shape[2], tensor.shape[2]
    if 1 < taps * channels <= lanes and taps > 1 and layer.dilation[1] == 1 and layer.padding[2] < taps:
        columns = layer.output_shape(tensor.shape)[1]
        return replace(plain, window=taps, stride=layer.stride[1], padding=layer.padding[2], columns=columns)
    return plain
