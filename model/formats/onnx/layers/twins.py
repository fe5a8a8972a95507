"""Two functions of the single codes of one tensor, joined number by number: again a function of its codes.

So x * sigmoid(x) is a table, however many quantizers are on the way.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Uniform
from rowloom.model.formats.onnx.layers.deferred import MOST_TABLE_BITS
from rowloom.model.formats.onnx.numbers.lookup import Lookup
from rowloom.model.formats.onnx.signal import Signal
from rowloom.model.layers import Add

if TYPE_CHECKING:
    from rowloom.model.formats.onnx.importer import Importer

Numbers = NDArray[np.float32]


def twins(
    importer: "Importer", first: Signal, second: Signal, join: Callable[[Numbers, Numbers], Numbers], node: str
) -> Signal | None:
    """Return what joins two signals, as a function of codes that both come from; None if there are none.

    Parameters
    ----------
    join : function
        Of two arrays of float32, as the executor computes it.
    """
    if first.axes.axes != second.axes.axes or any(first.padding) or any(second.padding):
        return None
    sources = [_sources(importer, signal) for signal in (first, second)]
    common = next((tensor for tensor in sources[0] if tensor in sources[1]), None)
    if common is None:
        return None
    with np.errstate(all="ignore"):
        values = join(sources[0][common], sources[1][common]).astype(np.float32)
    if not np.isfinite(values).all():
        return None
    carrier = importer.stored(common, (Fraction(1),), (Fraction(0),))
    lookup = Lookup(low=importer.encoding(common).min, values=values)
    nodes = tuple(dict.fromkeys((*first.nodes, *second.nodes, node)))
    return Signal(axes=first.axes, carrier=carrier, chain=(lookup,), nodes=nodes)


def _sources(importer: "Importer", signal: Signal) -> dict[str, Numbers]:
    """Return, for each tensor whose single codes tell the signal, the number of each code; the nearest comes first."""
    carrier = signal.carrier
    if carrier is None or carrier.layer is not None or len(carrier.unit) > 1 or len(carrier.offset) > 1:
        return {}
    tensor = carrier.tensor
    encoding = importer.encoding(tensor)
    if any(parameter.atoms for function in signal.chain for parameter in function.parameters):
        return {}
    if not isinstance(encoding, Uniform) or encoding.bits > MOST_TABLE_BITS:
        return {}
    integers = np.arange(encoding.min, encoding.max + 1)
    with np.errstate(all="ignore"):
        numbers = signal.evaluate(carrier.start(integers[:, None], np.float32), importer.names)[:, 0]
    result = {tensor: numbers}
    makers = {layer.output: layer for layer in importer.builder.layers}
    while True:
        maker = makers.get(tensor)
        if not isinstance(maker, Add) or len(maker.inputs) != 1 or maker.post is not None or maker.bias is not None:
            return result
        source = importer.encoding(maker.inputs[0])
        if not isinstance(source, Uniform):
            return result
        # A table gives values; numbers are in the order of values, from the least on.
        numbers = numbers[np.asarray(maker.tables[0]) - importer.encoding(tensor).min]
        tensor = maker.inputs[0]
        result[tensor] = numbers
