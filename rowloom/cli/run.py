"""``rowloom run``: the golden model."""

import zipfile
from pathlib import Path
from typing import IO, Any

import click
import numpy as np
from numpy.typing import NDArray

from rowloom.cli.files import check_target, written_beside
from rowloom.cli.options import network_argument, verb
from rowloom.cli.output import Output, load_images
from rowloom.model.errors import RowloomError
from rowloom.model.network import Network

_SHOWN = 10


@verb("run")
@network_argument
@click.argument("images", metavar="X.npy")
@click.option("-o", "out", metavar="Y.npy", help="Write the output there instead of showing it.")
@click.option("--dequantize", is_flag=True, help="Write real values: output times its scale.")
def command(network: str, images: str, out: str | None, dequantize: bool, json_file: str | None) -> None:
    """Run the images in X.npy, shape N x H x W x C, through the golden model of network M.

    Integers are codes of the input's encoding; floats are quantized by its scale. A network with several outputs
    writes them into one .npz, by their names.

    \b
    Example:
      rowloom run fashion-bnn images.npy -o scores.npy
    """
    import rowloom

    output = Output(json_file)
    target = check_target(out) if out else None
    net = rowloom.load(network)
    y = net.run(load_images(images))
    outputs = y if isinstance(y, dict) else {net.outputs[0]: y}
    if dequantize:
        outputs = {name: _real(net, name, codes) for name, codes in outputs.items()}
    count = len(outputs[net.outputs[0]])
    if target is None:
        for name, array in outputs.items():
            if len(outputs) > 1:
                output.line(f"{name}:")
            for index, row in enumerate(array[:_SHOWN]):
                output.line(f"{index}: {np.array2string(row.reshape(-1), threshold=32, max_line_width=100_000)}")
        if count > _SHOWN:
            output.line(f"... {count:,} images; -o Y.npy keeps them all")
    else:
        with written_beside(target) as beside, beside.open("wb") as file:
            _write(file, outputs)
        for array in outputs.values():
            output.line(f"{target}: {' x '.join(map(str, array.shape))} {array.dtype}")
    output.json(
        {
            "network": net.name,
            "images": count,
            "shape": list(outputs[net.outputs[0]].shape),
            "shapes": {name: list(array.shape) for name, array in outputs.items()},
            "output": out and str(Path(out)),
        }
    )


def _real(net: Network, name: str, codes: NDArray[Any]) -> NDArray[Any]:
    """Return the real values that an output's codes stand for."""
    tensor = net.tensor(name)
    if tensor.scale is None:
        raise RowloomError(tensor.name, "has no scale", "leave --dequantize out: its codes are all there is")
    return tensor.encoding.decode(codes) * tensor.scale


def _write(file: IO[bytes], outputs: dict[str, NDArray[Any]]) -> None:
    """Write one array as ``.npy``, several as ``.npz`` by their names."""
    if len(outputs) == 1:
        (array,) = outputs.values()
        np.save(file, array)
        return
    # numpy's own writer takes names as keywords, of which some are taken.
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in outputs.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
