"""Chooses an array for a device."""

from rowloom.hw.config import ArrayConfig, Budget
from rowloom.hw.design import Design
from rowloom.hw.mapping.choose import plane_sets
from rowloom.hw.mapping.compile import compile
from rowloom.hw.mapping.cost import Bram, Cost, Dsp, estimate, memories
from rowloom.model.errors import DoesNotFit, RowloomError
from rowloom.model.network import Network

__all__ = ["GOALS", "fit"]

#: How much worse than the best a smaller array may be.
NEAR = 1.1

#: What an array can be best at.
GOALS = ("throughput", "latency", "size", "balanced")

_ROWS = (1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 36, 48)
_COLS = (1, 2, 4)
_LANES = (8, 16, 32, 64)


def fit(network: Network, budget: Budget, goal: str = "throughput", planes: str = "auto") -> ArrayConfig:
    """Choose the array that serves a goal best among those that fit.

    Parameters
    ----------
    network : Network
    budget : Budget
    goal : {"throughput", "latency", "size", "balanced"}
        Fewest cycles an image (the first two: layers run one after the other, so latency and
        throughput go together), fewest LUTs, or the least product of both. Of the arrays that
        come within ``NEAR`` of the best, the smallest is taken: it is placed and routed sooner.

    planes : {"auto", "always", "never"}
        As in :class:`rowloom.hw.config.ArrayConfig`; with "auto" the goal decides.

    Raises
    ------
    RowloomError
        If the goal is unknown.
    DoesNotFit
        If no array fits; says what is too large in the one that comes nearest.
    """
    if goal not in GOALS:
        raise RowloomError("goal", f"must be one of {', '.join(GOALS)}, not {goal!r}")
    bram = Bram(bits=budget.bram_block_bits, width=budget.bram_block_width)
    dsp = Dsp(widest=budget.dsp_widest, paired=budget.dsp_paired, blocks=budget.dsp - 1)  # one for the row's address
    _check_weights(network, budget)
    fitting: list[tuple[float, int, ArrayConfig]] = []
    nearest: tuple[float, str] | None = None
    for config in _candidates(budget, _ways(network, planes)):
        design = compile(network, config)
        cost = estimate(design.hardware, bram, dsp)
        excess = _excess(cost, budget)
        if excess:
            over = max(used / there for used, there, _ in excess)
            if nearest is None or over < nearest[0]:
                nearest = (over, _tell(design, cost, excess, bram))
            continue
        fitting.append((_score(goal, design, cost), cost.lut4, config))
    if not fitting:
        assert nearest is not None
        raise DoesNotFit(network.name, nearest[1], "choose a smaller network or a larger device")
    best = min(score for score, _, _ in fitting)
    return min((entry for entry in fitting if entry[0] <= NEAR * best), key=lambda entry: entry[1])[2]


def _check_weights(network: Network, budget: Budget) -> None:
    """Raise DoesNotFit if not even all memory and all tables of a device, 16 bits each, hold the weights."""
    weights, blocks = network.weight_bits(), budget.bram_blocks * budget.bram_block_bits
    if weights > blocks + 16 * budget.lut4:
        raise DoesNotFit(
            network.name,
            f"does not fit: its weights take {weights:,} bits, where {budget.bram_blocks:,} block RAMs hold {blocks:,}",
            "choose a smaller network or a larger device",
        )


def _ways(network: Network, planes: str) -> tuple[str, ...]:
    """Ways to run layers of several bits."""
    several = len(plane_sets(network, ArrayConfig(rows=1, cols=1, lanes=1, planes=planes))) > 1
    return ("never", "always") if several else (planes,)


def _candidates(budget: Budget, ways: tuple[str, ...]) -> list[ArrayConfig]:
    """Sizes whose products alone do not exceed the device, with and without the memory to prefetch."""
    return [
        ArrayConfig(rows=rows, cols=cols, lanes=lanes, prefetch=prefetch, logic_bits=logic_bits, planes=planes)
        for rows in _ROWS
        for cols in _COLS
        for lanes in _LANES
        if rows * cols * lanes * 3 <= budget.lut4
        for prefetch, logic_bits in ((True, 1024), (False, 1024), (False, 4096))
        for planes in ways
    ]


def _excess(cost: Cost, budget: Budget) -> list[tuple[int, int, str]]:
    pairs = (
        (round(cost.lut4 + budget.loose_ff * cost.ff), budget.lut4, "logic cells" if budget.loose_ff else "LUT4"),
        (cost.ff, budget.ff, "flip-flops"),
        (cost.bram, budget.bram_blocks, "block RAMs"),
        (cost.dsp, budget.dsp, "DSP blocks"),
    )
    return [pair for pair in pairs if pair[0] > pair[1]]


def _tell(design: Design, cost: Cost, excess: list[tuple[int, int, str]], bram: Bram) -> str:
    config = design.config
    what = " and ".join(f"{used:,} of {there:,} {name}" for used, there, name in excess)
    blocks = {
        name: count * bram.blocks(width, depth) for name, (count, width, depth) in memories(design.hardware).items()
    }
    largest = ", ".join(f"{name} {n}" for name, n in sorted(blocks.items(), key=lambda item: -item[1])[:3])
    return (
        f"does not fit: even an array of {config.rows} x {config.cols} x {config.lanes} needs {what} "
        f"(block RAMs: {largest})"
    )


def _score(goal: str, design: Design, cost: Cost) -> float:
    if goal == "size":
        return cost.lut4 + design.cycles / 1e9
    if goal == "balanced":
        return float(cost.lut4) * design.cycles
    return design.cycles + cost.lut4 / 1e6
