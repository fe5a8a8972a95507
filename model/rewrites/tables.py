"""Functions of single codes as thresholds."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.evaluate.add import TableSums
from rowloom.model.layers import Add, Layer, SummingLayer
from rowloom.model.network import Network, Tensor
from rowloom.model.post import Thresholds
from rowloom.model.rewrites.multiples import multipliers

#: Widest codes that are counted.
MOST_BITS = 8

#: Most parts of what a function rises by in all, or falls by.
MOST_PARTS = 4

Integers = NDArray[np.int64]


def with_thresholds(network: Network, *, straight: Collection[str] = ()) -> Network:
    """The network with thresholds of its own for every layer that gives codes without, or by a table.

    Sums that fit into a code, and are read by other layers, count how many values they reach. A function of one code
    that rises or falls is the same of its value; one that does both is the difference of two that rise.

    Parameters
    ----------
    network : Network
    straight : collection of str, optional
        Tensors that may stay sums.

    Raises
    ------
    RowloomError
        Naming a layer whose function goes up or down by more codes than there are.
    """
    tensors = {tensor.name: tensor for tensor in network.tensors}
    layers: list[Layer] = []
    for layer in network.layers:
        target = network.tensor(layer.output).encoding
        made: list[Layer] = [layer]
        if isinstance(layer, SummingLayer) and target.bits <= MOST_BITS:
            if _is_table(layer, network):
                assert isinstance(layer, Add)
                made = _of_table(layer, network, tensors)
            elif layer.post is None and layer.output not in straight:
                shape = network.tensor(layer.output).shape
                made = [replace(layer, post=Thresholds.ranks(target.every_value, shape[2]))]
        layers += made
    if layers == list(network.layers):
        return network
    return replace(network, layers=tuple(layers), tensors=tuple(tensors.values()))


def _is_table(layer: SummingLayer, network: Network) -> bool:
    """Whether a layer is a function of one code that is no multiple of its value."""
    if not isinstance(layer, Add) or len(layer.inputs) > 1:
        return False
    source = network.tensor(layer.inputs[0]).encoding
    return source.bits <= MOST_BITS and multipliers(layer, [source]) is None


def _of_table(layer: Add, network: Network, tensors: dict[str, Tensor]) -> list[Layer]:
    """Layers that give the codes of a table; tensors between them are added to ``tensors``."""
    source, target = (network.tensor(name) for name in (layer.inputs[0], layer.output))
    values = source.encoding.every_value
    order = np.argsort(values)
    values = values[order]
    every = source.encoding.every_code.astype(source.encoding.dtype)[order]
    maps = np.tile(every[:, None], (1, source.shape[2]))[None, None]
    table = TableSums.of(layer, [source.encoding], target.encoding)
    codes = table.codes(maps)[0, 0].astype(np.int64)  # [code, channel], by rising value

    steps = np.diff(codes, axis=0)
    rises, falls = (steps >= 0).all(axis=0), (steps <= 0).all(axis=0)
    identity = Add.scaled(
        name=layer.name, inputs=layer.inputs, output=layer.output, encodings=[source.encoding], multipliers=[1]
    )
    if (rises | falls).all():
        return [replace(identity, post=Thresholds.of_codes(values, codes.T, target.encoding))]

    # c(v) = c(least v) + what it has risen by - what it has fallen by, each in parts that a code holds
    parts: list[Layer] = []
    signs: list[int] = []
    most = (1 << MOST_BITS) - 1
    for sign, way, part in ((1, "rises", np.maximum(steps, 0)), (-1, "falls", np.maximum(-steps, 0))):
        counts = np.concatenate([np.zeros_like(part[:1]), np.cumsum(part, axis=0)])
        total = int(counts.max())
        if total > MOST_PARTS * most:
            problem = f"is a function of codes that {way} by {total} codes in all"
            raise RowloomError(layer.name, problem, f"must be at most {MOST_PARTS * most}")
        for start in range(0, total, most):
            own = np.clip(counts - start, 0, most)
            encoding = Uniform(bits=max(1, int(own.max()).bit_length()), signed=False)
            name = f"{layer.name} {way}" + (f" from {start}" if start else "")
            tensors[name] = Tensor(name=name, shape=target.shape, encoding=encoding)
            post = Thresholds.of_codes(values, own.T, encoding)
            parts.append(replace(identity, name=name, output=name, post=post))
            signs.append(sign)
    difference = Add.scaled(
        name=layer.name,
        inputs=tuple(part.output for part in parts),
        output=layer.output,
        encodings=[tensors[part.output].encoding for part in parts],
        multipliers=signs,
        bias=codes[0],
        post=Thresholds.ranks(target.encoding.every_code, target.shape[2]),
    )
    return [*parts, difference]
