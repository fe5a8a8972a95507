"""``rowloom boards``: what can be built for."""

from rowloom.cli.options import verb
from rowloom.cli.output import Output


@verb("boards")
def command(json_file: str | None) -> None:
    """List the boards, with device, resources and clock.

    \b
    Example:
      rowloom boards --json -
    """
    from rowloom.boards import BOARDS

    output = Output(json_file)
    boards = [
        {
            "name": board.name,
            "title": board.title,
            "device": board.device,
            "resources": board.resources.to_json(),
            "bram_bits": board.bram_bits,
            "clock_mhz": board.core_mhz,
        }
        for board in BOARDS.values()
    ]
    output.rows(
        ("board", "title", "device", "LUT4", "FF", "BRAM", "DSP", "SPRAM", "clock MHz"),
        [
            (board.name, board.title, board.device, *board.resources.to_json().values(), board.core_mhz)
            for board in BOARDS.values()
        ],
    )
    output.json({"boards": boards})
