"""``rowloom compile``: what an array makes of a network."""

from typing import Any

from rowloom.cli.options import array_options, design_for, network_argument, verb
from rowloom.cli.output import Output

#: What keeps an array from full use, in the columns of the table; ``other`` is of a network alone.
LOSSES = ("lanes", "rows", "columns", "drain", "fill", "skipped", "weights", "other")


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
        ("layer", "unit", "MACs", "cycles", "utilization", *(f"lost: {loss}" for loss in LOSSES)),
        [
            (
                *(layer[key] for key in ("name", "unit", "macs", "cycles", "utilization")),
                *((layer["losses"] or {}).get(loss, "") for loss in LOSSES),
            )
            for layer in content["layers"]
        ],
        total=(
            "all",
            "",
            *(content[key] for key in ("macs", "cycles", "utilization")),
            *(content["losses"][loss] for loss in LOSSES),
        ),
    )
    output.line("array: " + ", ".join(f"{name} {value}" for name, value in content["config"].items()))
    maps = content["maps"]
    output.line("maps: {banks} banks of {depth:,} words of {bits} bits, at most {peak:,} in use".format(**maps))
    if content["choice"]:
        output.line(f"chosen: {content['choice']}")
    output.line("estimated cost: " + ", ".join(f"{value:,} {name}" for name, value in content["cost"].items()))
    output.json(content)
