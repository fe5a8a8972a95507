"""``rowloom compile``: what an array makes of a network."""

from typing import Any

from rowloom.cli.options import array_options, design_for, network_argument, verb
from rowloom.cli.output import Output


@verb("compile")
@network_argument
@array_options
def command(network: str, json_file: str | None, **array: Any) -> None:
    """Map network M onto an array: cycles, utilization, cost.

    \b
    Example:
      rowloom compile fashion-bnn --rows 12 --cols 2 --lanes 32
      rowloom compile fashion-bnn --board ulx3s-85f
    """
    from rowloom.summary import describe_design

    output = Output(json_file)
    content = describe_design(design_for(network, **array))
    output.rows(
        ("layer", "unit", "MACs", "cycles", "utilization"),
        [tuple(layer[key] for key in ("name", "unit", "macs", "cycles", "utilization")) for layer in content["layers"]],
        total=("all", "", content["macs"], content["cycles"], content["utilization"]),
    )
    output.line("array: " + ", ".join(f"{name} {value}" for name, value in content["config"].items()))
    if content["choice"]:
        output.line(f"chosen: {content['choice']}")
    output.line("estimated cost: " + ", ".join(f"{value:,} {name}" for name, value in content["cost"].items()))
    output.json(content)
