"""What synthesis, place and route say of a design: cells used, clock reached."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rowloom.boards.board import Board, Family, Resources

# Logic cells that one cell of a netlist takes at least, by type.
_ECP5_LUT4 = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4}
_ECP5_BRAM = ("DP16KD", "PDPW16KD")
_ICE40_BRAM = ("SB_RAM40_4K", "SB_RAM40_4KNR", "SB_RAM40_4KNW", "SB_RAM40_4KNRNW")


def netlist_cells(netlist: Path) -> dict[str, str]:
    """Return type of each cell of the top module in a netlist written by Yosys, by cell name."""
    modules = json.loads(netlist.read_text())["modules"]
    top = next(module for module in modules.values() if int(module["attributes"].get("top", "0"), 2))
    return {name: cell["type"] for name, cell in top["cells"].items()}


def count_cells(cells: Mapping[str, str], family: Family) -> Resources:
    """Return what a synthesized netlist takes before it is packed: exact but for ``lut4``, which may still grow."""
    types = Counter(cells.values())
    if family is Family.ECP5:
        return Resources(
            lut4=sum(types[kind] * size for kind, size in _ECP5_LUT4.items()),
            ff=types["TRELLIS_FF"],
            bram=sum(types[kind] for kind in _ECP5_BRAM),
            dsp=types["MULT18X18D"],
            spram=0,
        )
    return Resources(
        lut4=types["SB_LUT4"],
        ff=sum(count for kind, count in types.items() if kind.startswith("SB_DFF")),
        bram=sum(types[kind] for kind in _ICE40_BRAM),
        dsp=types["SB_MAC16"],
        spram=types["SB_SPRAM256KA"],
    )


def excess(used: Resources, board: Board) -> list[str]:
    """Return what is over the board's resources, a phrase each; empty when all fits."""
    names = {"lut4": "LUT4", "ff": "flip-flops", "bram": "block RAMs", "dsp": "multiplier blocks", "spram": "SPRAMs"}
    phrases = []
    for key, there in board.resources.to_json().items():
        need = used.to_json()[key]
        if need > there:
            over = f" ({100 * (need - there) / there:.0f} % too many)" if there else ""
            phrases.append(f"{need:,} {names[key]} of {there:,}{over}")
    return phrases


def largest_memories(cells: Mapping[str, str], count: int = 3) -> list[str]:
    """Return the memories that take most block RAMs, as ``name (blocks)``, largest first."""
    kinds = {*_ECP5_BRAM, *_ICE40_BRAM}
    blocks = Counter(_owner(name) for name, kind in cells.items() if kind in kinds)
    return [f"{name} ({number})" for name, number in blocks.most_common(count)]


def _owner(cell: str) -> str:
    """Return the memory that a block belongs to: the block's name up to the indices that Yosys appends."""
    parts = cell.split(".")
    while len(parts) > 1 and parts[-1].isdigit():
        parts.pop()
    return ".".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """What nextpnr reports of a routed design.

    Attributes
    ----------
    fmax_mhz : float
        The slowest clock's highest frequency, MHz.
    resources : Resources
        Cells used, as packed.
    """

    fmax_mhz: float
    resources: Resources


def read_report(report: Path, synthesized: Resources, family: Family) -> Routed:
    """Read a report of nextpnr (``--report``).

    An iCE40 logic cell holds a look-up table and a flip-flop, so that the flip-flops are counted in the netlist.
    """
    content = json.loads(report.read_text())
    used = {kind: entry["used"] for kind, entry in content["utilization"].items()}
    if family is Family.ECP5:
        resources = Resources(
            lut4=used["TRELLIS_COMB"], ff=used["TRELLIS_FF"], bram=used["DP16KD"], dsp=used["MULT18X18D"], spram=0
        )
    else:
        resources = Resources(
            lut4=used["ICESTORM_LC"],
            ff=synthesized.ff,
            bram=used["ICESTORM_RAM"],
            dsp=used.get("ICESTORM_DSP", 0),
            spram=used.get("ICESTORM_SPRAM", 0),
        )
    return Routed(fmax_mhz=min(clock["achieved"] for clock in content["fmax"].values()), resources=resources)
