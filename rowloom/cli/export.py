"""``rowloom export``: networks for other tools."""

import click

from rowloom.cli.files import check_target
from rowloom.cli.options import network_argument, verb
from rowloom.cli.output import Output
from rowloom.model.errors import RowloomError


@verb("export")
@network_argument
@click.option("-o", "out", metavar="FILE", help="Ends in .onnx for QONNX, in .json for a description.")
def command(network: str, out: str | None, json_file: str | None) -> None:
    """Write network M as QONNX, for Netron, FINN or hls4ml, or as JSON.

    \b
    Example:
      rowloom export fashion-bnn -o fashion-bnn.onnx
    """
    import rowloom

    output = Output(json_file)
    if out is None:
        raise RowloomError("-o", "is missing", "name the file, ending in .onnx or .json")
    target = check_target(out)
    net = rowloom.load(network)
    rowloom.export(net, target)
    size = target.stat().st_size
    output.line(f"{target}: {net.name}, {size:,} bytes")
    output.json({"network": net.name, "file": out, "bytes": size})
