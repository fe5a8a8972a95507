"""What there is to say of a network and of a compiled design, layer by layer."""

from dataclasses import Field, fields, is_dataclass
from typing import Any

from rowloom.hw.design import Design
from rowloom.hw.units import unit_for
from rowloom.model.encodings import Encoding
from rowloom.model.errors import RowloomError
from rowloom.model.layers import Conv2d, Layer, Linear, SummingLayer
from rowloom.model.network import Network
from rowloom.model.repetition import distinct_kernels


def _sum_bits(low: int, high: int) -> int:
    """Return the bits that hold every sum in a range: two's complement if it can be negative."""
    if low >= 0:
        return max(1, high.bit_length())
    return 1 + max(high.bit_length(), (-low - 1).bit_length())


def _encoding_name(encoding: Encoding) -> str:
    """Return an encoding as one would write it, without what is left at its default."""
    parts: tuple[Field[Any], ...] = fields(encoding) if is_dataclass(encoding) else ()
    given = [
        f"{part.name}={getattr(encoding, part.name)}" for part in parts if getattr(encoding, part.name) != part.default
    ]
    return type(encoding).__name__ + (f"({', '.join(given)})" if given else "")


def _unit(net: Network, layer: Layer) -> str | None:
    """Return the name of the unit that a layer's sums need; None where there are none or no unit forms them."""
    if not isinstance(layer, Conv2d | Linear):
        return None
    try:
        return unit_for(layer.weight_encoding, net.tensor(layer.input).encoding, operation=layer.operation).NAME
    except RowloomError:
        return None


def describe_network(net: Network) -> dict[str, Any]:
    """Return the object that ``rowloom info --json`` writes.

    Of a layer with several inputs, ``input_encoding`` has every encoding that occurs, ``in_shape`` is the first
    input's and ``in_shapes`` has them all.
    """
    layers = []
    for layer in net.layers:
        sources = [net.tensor(name) for name in layer.inputs]
        encodings = dict.fromkeys(_encoding_name(source.encoding) for source in sources)
        layers.append(
            {
                "name": layer.name,
                "op": layer.op,
                "operation": layer.operation.value if isinstance(layer, Conv2d | Linear) else None,
                "weight_encoding": _encoding_name(layer.weight_encoding)
                if isinstance(layer, Conv2d | Linear)
                else None,
                "inputs": list(layer.inputs),
                "output": layer.output,
                "input_encoding": " | ".join(encodings),
                "output_encoding": _encoding_name(net.tensor(layer.output).encoding),
                "in_shape": list(sources[0].shape),
                "in_shapes": [list(source.shape) for source in sources],
                "out_shape": list(net.tensor(layer.output).shape),
                "macs": net.macs(layer),
                "weight_bits": net.weight_bits(layer),
                "sum_bits": _sum_bits(*net.sum_range(layer)) if isinstance(layer, SummingLayer) else None,
                "unit": _unit(net, layer),
                "distinct_kernels": distinct_kernels(layer),
            }
        )
    return {
        "name": net.name,
        "about": dict(net.about),
        "layers": layers,
        "macs": net.macs(),
        "weight_bits": net.weight_bits(),
    }


def describe_design(design: Design) -> dict[str, Any]:
    """Return the object that ``rowloom compile --json`` writes."""
    return {
        "network": design.network.name,
        "config": design.config.to_json(),
        "macs": design.macs,
        "cycles": design.cycles,
        "utilization": design.utilization,
        "losses": design.losses,
        "layers": [
            {
                "name": layer.name,
                "unit": layer.unit,
                "planes": layer.planes,
                "macs": layer.macs,
                "cycles": layer.cycles,
                "skipped": layer.skipped,
                "utilization": layer.utilization,
                "losses": layer.losses.to_json() if layer.losses else None,
            }
            for layer in design.layers
        ],
        "maps": {
            "banks": design.hardware.banks,
            "bits": design.hardware.word_bits,
            "depth": design.hardware.bank_depth,
            "peak": max(design.live_words),
            "buffers": [buffer.to_json() for buffer in design.buffers],
        },
        "cost": design.cost.to_json(),
        "choice": design.choice,
    }
