"""``rowloom run``: the golden model."""

from pathlib import Path

import click
import numpy as np

from rowloom.cli.files import check_target, written_beside
from rowloom.cli.options import network_argument, verb
from rowloom.cli.output import Output, load_images
from rowloom.model.errors import RowloomError

_SHOWN = 10


@verb("run")
@network_argument
@click.argument("images", metavar="X.npy")
@click.option("-o", "out", metavar="Y.npy", help="Write the output there instead of showing it.")
@click.option("--dequantize", is_flag=True, help="Write real values: output times its scale.")
def command(network: str, images: str, out: str | None, dequantize: bool, json_file: str | None) -> None:
    """Run the images in X.npy, shape N x H x W x C, through the golden model of network M.

    Integers are codes of the input's encoding; floats are quantized by its scale.

    \b
    Example:
      rowloom run fashion-bnn images.npy -o scores.npy
    """
    import rowloom

    output = Output(json_file)
    target = check_target(out) if out else None
    net = rowloom.load(network)
    y = net.run(load_images(images))
    if dequantize:
        tensor = net.tensor(net.outputs[0])
        if tensor.scale is None:
            raise RowloomError(tensor.name, "has no scale", "leave --dequantize out: its codes are all there is")
        y = tensor.encoding.decode(y) * tensor.scale
    if target is None:
        for index, row in enumerate(y[:_SHOWN]):
            output.line(f"{index}: {np.array2string(row.reshape(-1), threshold=32, max_line_width=100_000)}")
        if len(y) > _SHOWN:
            output.line(f"... {len(y):,} images; -o Y.npy keeps them all")
    else:
        with written_beside(target) as beside, beside.open("wb") as file:
            np.save(file, y)
        output.line(f"{target}: {' x '.join(map(str, y.shape))} {y.dtype}")
    output.json({"network": net.name, "images": len(y), "shape": list(y.shape), "output": out and str(Path(out))})
