"""``rowloom info``: what a network is made of."""

from rowloom.cli.options import network_argument, verb
from rowloom.cli.output import Output


@verb("info")
@network_argument
def command(network: str, json_file: str | None) -> None:
    """Show the layers of network M: operators, encodings, shapes, work, and the unit that each needs.

    M is a file, or the name of a network that ships.

    \b
    Example:
      rowloom info fashion-bnn
    """
    import rowloom
    from rowloom.summary import describe_network

    output = Output(json_file)
    content = describe_network(rowloom.load(network))
    titles = ("layer", "operator", "weights", "input", "output", "in", "out", "MACs", "weight bits", "sum bits", "unit")
    output.rows(
        titles,
        [
            (
                layer["name"],
                layer["op"],
                layer["weight_encoding"],
                layer["input_encoding"],
                layer["output_encoding"],
                " | ".join(map(_shape, layer["in_shapes"])),
                _shape(layer["out_shape"]),
                layer["macs"],
                layer["weight_bits"],
                layer["sum_bits"],
                layer["unit"],
            )
            for layer in content["layers"]
        ],
        total=("all", "", "", "", "", "", "", content["macs"], content["weight_bits"], "", ""),
    )
    for name, value in content["about"].items():
        output.line(f"{name}: {value}")
    output.json(content)


def _shape(shape: list[int]) -> str:
    return " x ".join(map(str, shape))
