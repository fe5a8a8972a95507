"""``rowloom info``: what a network is made of."""

from typing import Any

from rowloom.cli.options import input_options, network_argument, verb
from rowloom.cli.output import Output


@verb("info")
@network_argument
@input_options
def command(network: str, input_scale: str | None, input_encoding: str | None, json_file: str | None) -> None:
    """Show the layers of network M: operators, encodings, shapes, work, and the unit that each needs.

    M is a file, of rowloom's or one that can be imported, or the name of a network that ships. "distinct kernels" is
    the share of a binary convolution's kernels that are not a repetition of another.

    \b
    Example:
      rowloom info fashion-bnn
      rowloom info resnet8.tflite
    """
    import rowloom
    from rowloom.summary import describe_network

    output = Output(json_file)
    content = describe_network(rowloom.load(network, input_scale=input_scale, input_encoding=input_encoding))
    layers = content["layers"]
    # Title, a value for each layer, what stands in the row of totals.
    columns: list[tuple[str, list[object], object]] = [
        ("layer", [layer["name"] for layer in layers], "all"),
        ("operator", [_operator(layer) for layer in layers], ""),
        ("weights", [layer["weight_encoding"] for layer in layers], ""),
        ("input", [layer["input_encoding"] for layer in layers], ""),
        ("output", [layer["output_encoding"] for layer in layers], ""),
        ("in", [" | ".join(map(_shape, layer["in_shapes"])) for layer in layers], ""),
        ("out", [_shape(layer["out_shape"]) for layer in layers], ""),
        ("MACs", [layer["macs"] for layer in layers], content["macs"]),
        ("weight bits", [layer["weight_bits"] for layer in layers], content["weight_bits"]),
        ("sum bits", [layer["sum_bits"] for layer in layers], ""),
        ("unit", [layer["unit"] for layer in layers], ""),
    ]
    shares = [layer["distinct_kernels"] for layer in layers]
    if any(share is not None for share in shares):  # only binary convolutions have one
        columns.append(("distinct kernels", shares, ""))
    titles, values, totals = zip(*columns, strict=True)
    output.rows(titles, list(zip(*values, strict=True)), total=totals)
    for name, value in content["about"].items():
        output.line(f"{name}: {value}")
    output.json(content)


def _operator(layer: dict[str, Any]) -> str:
    return f"{layer['op']}, adder" if layer["operation"] == "adder" else str(layer["op"])


def _shape(shape: list[int]) -> str:
    return " x ".join(map(str, shape))
