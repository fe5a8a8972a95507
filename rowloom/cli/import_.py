"""``rowloom import``: networks that others trained."""

import click

from rowloom.cli.files import check_target, written_beside
from rowloom.cli.options import input_options, verb
from rowloom.cli.output import Output
from rowloom.model.errors import RowloomError


@verb("import")
@click.argument("file", metavar="FILE")
@click.option("-o", "out", metavar="M.rowloom", help="File for the network.")
@input_options
@click.option("--explain", is_flag=True, help="Tell what every node of FILE became.")
def command(
    file: str,
    out: str | None,
    input_scale: str | None,
    input_encoding: str | None,
    explain: bool,
    json_file: str | None,
) -> None:
    """Import a QONNX, ONNX QDQ, TFLite int8 or torch.export network from FILE, told apart by content, and save it.

    \b
    Example:
      rowloom import resnet8.tflite -o resnet8.rowloom --explain
    """
    from rowloom.model.formats.source import import_file

    output = Output(json_file)
    if out is None:
        raise RowloomError("-o", "is missing", "name the file for the network")
    target = check_target(out)
    imported = import_file(file, input_scale=input_scale, input_encoding=input_encoding)
    net = imported.network
    with written_beside(target) as beside:
        net.save(beside)
    if explain:
        output.rows(
            ("nodes", "layer", "what became of them"),
            [(", ".join(note.nodes), note.layer, note.text) for note in imported.notes],
        )
        if imported.float_ties:
            output.line(
                f"{imported.float_ties:,} thresholds are beside sums that the rounding of the file's executor, "
                "not the numbers in the file, decides"
            )
    output.line(f"{target}: {net.name}, {len(net.layers)} layers, {net.macs():,} MACs")
    output.json(
        {
            "network": net.name,
            "file": out,
            "about": dict(net.about),
            "layers": len(net.layers),
            "macs": net.macs(),
            "float_ties": imported.float_ties,
            "notes": [{"nodes": list(note.nodes), "layer": note.layer, "text": note.text} for note in imported.notes],
        }
    )
