"""Where the multiply-accumulates that an array could have done went: what keeps a layer from full utilization."""

from dataclasses import asdict, dataclass, fields
from fractions import Fraction

from rowloom.hw.mapping.step import Step
from rowloom.model.layers import Linear

__all__ = ["Losses", "losses_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Shares of cycles times peak that a layer does not use; with its utilization they make one.

    Parameters
    ----------
    lanes : float
        Lanes without a channel, or with one of another group; planes that hold a constant.
    rows : float
        Rows of the array without a filter or a kernel row.
    columns : float
        Columns without an output row.
    drain : float
        Idle cycles after a block, while sums leave or words are written.
    fill : float
        The record, the pipeline, the last block's drain.
    skipped : float
        Zero or negative: gained by words of weights that are left out because they are zero.
    weights : float
        Waiting for weights that come over the load port.
    """

    lanes: float
    rows: float
    columns: float
    drain: float
    fill: float
    skipped: float
    weights: float = 0.0

    def to_json(self) -> dict[str, float]:
        return asdict(self)

    @property
    def greatest(self) -> str:
        """Name of the greatest loss."""
        return max((each.name for each in fields(self)), key=lambda name: float(getattr(self, name)))


def losses_of(step: Step, *, cols: int, products: int, peak: int, macs: int, cycles: int, stall: int = 0) -> Losses:
    """The losses of a layer that multiplies, by an array or by the vector path.

    Losses are told apart in the order fill, drain, columns, lanes, rows: each is a share of what those before
    it have left.

    Parameters
    ----------
    step : Step
    cols : int
        Q, columns.
    products : int
        Products that an element of the array forms in a cycle; lanes of the vector path.
    peak : int
        Products a cycle of all of it.
    macs : int
        Products of the layer.
    cycles, stall : int
        That it takes; of these, those in which it waits for its weights.
    """
    fold, window = step.fold, step.window
    blocks = fold.strips * fold.pixels * fold.blocks
    busy = Fraction(blocks * fold.accumulation, cycles)  # as if no word were left out
    skipped = Fraction(fold.strips * fold.pixels * fold.skipped, cycles)
    drain = Fraction((blocks - 1) * fold.bubbles, cycles)
    columns = Fraction(window.height, fold.strips * cols)
    lanes = _lanes(step, products)
    used = Fraction(macs, peak * cycles)
    return Losses(
        lanes=float(busy * columns * (1 - lanes)),
        rows=float(busy * columns * lanes - used),
        columns=float(busy * (1 - columns)),
        drain=float(drain),
        fill=float(1 - busy - drain + skipped - Fraction(stall, cycles)),
        skipped=float(-skipped),
        weights=stall / cycles,
    )


def _lanes(step: Step, products: int) -> Fraction:
    """Share of an element's products that meet a weight, while it works on a kernel row or several in one word."""
    fold = step.fold
    if step.path == "vector":
        return Fraction(step.layout.channels, fold.blocks * products)
    weights = step.layer.weights.shape
    rows, taps, channels = step.layout.shape if isinstance(step.layer, Linear) else weights[1:]
    side_by_side = fold.merged or step.array.stacked
    if step.layout.deep > 1:
        return Fraction(rows * taps * channels, step.window.rows * fold.words * products)
    there = taps * channels * (rows if side_by_side else 1)
    room = fold.taps * fold.words * products * (fold.chunks if side_by_side else 1)
    planes = Fraction(step.planes.products, fold.planes) if step.planes else 1
    return Fraction(there, room) * planes
