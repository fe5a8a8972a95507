"""``rowloom build``: a bitstream."""

from typing import Any

import click

from rowloom.cli.files import check_target
from rowloom.cli.options import array_options, design_for, network_argument, verb
from rowloom.cli.output import Output
from rowloom.model.errors import RowloomError
from rowloom.model.progress import progress_for


@verb("build")
@network_argument
@array_options
@click.option("-o", "out", metavar="FILE", help="The bitstream; build/BOARD/NETWORK.bit (.bin) when left out.")
@click.option("--clock", "clock_mhz", type=float, metavar="MHZ", help="Clock; the board's own choice when left out.")
@click.option("--seed", type=int, default=1, show_default=True, help="First seed of place and route.")
@click.option("--tries", type=int, default=3, show_default=True, help="Seeds to try when the clock is missed narrowly.")
@click.option("--time-limit", type=float, default=3600, show_default=True, help="Seconds that each tool may take.")
def command(
    network: str,
    board: str | None,
    out: str | None,
    clock_mhz: float | None,
    seed: int,
    tries: int,
    time_limit: float,
    json_file: str | None,
    **array: Any,
) -> None:
    """Make a bitstream of network M for a board, with an array sized for it unless --rows --cols --lanes say one.

    Exit status 1 if it does not fit or its clock is not met.

    \b
    Example:
      rowloom build fashion-bnn --board ulx3s-85f
    """
    import rowloom
    from rowloom.boards import get

    output = Output(json_file)
    if board is None:
        raise RowloomError("--board", "is missing", "name a board, see rowloom boards")
    get(board)
    if clock_mhz is not None and clock_mhz <= 0:
        raise RowloomError("--clock", f"must be positive, not {clock_mhz:g}")
    if tries < 1:
        raise RowloomError("--tries", f"must be at least 1, not {tries}")
    if out is not None:
        check_target(out)
    with progress_for("build") as shown:
        shown.line(f"mapping {network} for {board}")
        design = design_for(network, board=board, clock_mhz=clock_mhz, **array)
        image = rowloom.build(
            design,
            board,
            out=out,
            clock_mhz=clock_mhz,
            seed=seed,
            tries=tries,
            time_limit_s=time_limit,
            say=shown.line,
        )
    used, there = image.resources.to_json(), get(board).resources.to_json()
    output.rows(("resource", "used", "of"), [(name, used[name], there[name]) for name in used])
    config = design.config
    output.line(
        f"array {config.rows} x {config.cols} x {config.lanes}, {design.cycles:,} cycles an image, "
        f"clock {image.clock_mhz:g} MHz, Fmax {image.fmax_mhz:.2f} MHz (seed {image.seed})"
    )
    output.line(f"{image.bitstream}")
    output.json(
        {"network": design.network.name, "config": config.to_json(), "cycles": design.cycles, **image.to_json()}
    )
