"""``rowloom emit``: the accelerator as source."""

from typing import Any

import click

from rowloom.cli.options import array_options, design_for, network_argument, verb
from rowloom.cli.output import Output


@verb("emit")
@network_argument
@array_options
@click.option("-o", "out", metavar="DIR", required=True, help="Folder to write; made if it is not there.")
@click.option("--bus", default="stream", show_default=True, help="How images go in and results come out.")
def command(network: str, out: str, bus: str, json_file: str | None, **array: Any) -> None:
    """Write the accelerator of network M as Verilog, with a manifest of what it is.

    \b
    Example:
      rowloom emit fashion-bnn --rows 6 --cols 2 --lanes 32 -o build/fashion-bnn
    """
    from pathlib import Path

    import rowloom

    output = Output(json_file)
    design = design_for(network, **array)
    rowloom.emit(design, out, bus=bus)
    files = sorted(str(path) for path in Path(out).rglob("*") if path.is_file())
    for file in files:
        output.line(file)
    output.json({"network": design.network.name, "folder": out, "bus": bus, "files": files})
