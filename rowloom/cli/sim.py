"""``rowloom sim``: co-simulation against the golden model."""

from collections.abc import Callable
from typing import Any

import click

from rowloom.cli.options import array_options, design_for, network_argument, verb
from rowloom.cli.output import Output, load_images
from rowloom.model.errors import CheckFailed, RowloomError
from rowloom.model.progress import Progress, progress_for


@verb("sim")
@network_argument
@array_options
@click.option("--images", type=int, metavar="N", help="How many images; 2 of those that ship when left out.")
@click.option("--input", "input_file", metavar="X.npy", help="Take the images from there.")
@click.option(
    "--simulator",
    type=click.Choice(["verilator", "icarus"]),
    default="verilator",
    show_default=True,
    help="Who runs it.",
)
@click.option("--netlist", is_flag=True, help="Simulate the synthesized netlist.")
@click.option("--stalls", is_flag=True, help="Let both streams pause at random.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the pauses, and of random images.")
def command(
    network: str,
    images: int | None,
    input_file: str | None,
    simulator: str,
    netlist: bool,
    stalls: bool,
    seed: int,
    json_file: str | None,
    **array: Any,
) -> None:
    """Run images through the accelerator of network M and compare every layer with the golden model.

    The images are those that ship with the network, else random ones. Exit status 1 if anything differs.

    \b
    Example:
      rowloom sim fashion-bnn --rows 6 --cols 2 --lanes 32 --images 4 --stalls
    """
    import rowloom
    from rowloom.model.host import host_codes

    output = Output(json_file)
    if images is not None and images < 1:
        raise RowloomError("--images", f"must be at least 1, not {images}")
    design = design_for(network, **array)
    if input_file is None:
        x = rowloom.images(design.network, 2 if images is None else images, seed=seed)
    else:
        x = host_codes(design.network, load_images(input_file))
        if images is not None and len(x) < images:
            raise RowloomError(input_file, f"has {len(x)} images", f"--images {images} asks for more")
        x = x[:images]
    with progress_for("co-simulation") as shown:
        result = rowloom.simulate(
            design, x, simulator=simulator, netlist=netlist, stalls=stalls, seed=seed, progress=_stages(shown)
        )
    output.table(result.table())
    output.line(result.summary())
    output.json(result.to_json())
    if not result.ok:
        raise CheckFailed(design.network.name, "the accelerator differs from the golden model", "see the table above")


def _stages(shown: Progress) -> Callable[[str, int, int], None]:
    """Return what tells of each stage once, and of each step."""
    told: set[str] = set()

    def report(stage: str, done: int, total: int) -> None:
        if stage not in told:
            told.add(stage)
            shown.line(f"{stage} ...")
        shown.step(done, total)

    return report
