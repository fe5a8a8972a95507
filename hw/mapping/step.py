"""A layer while it is being compiled."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rowloom.hw.layout import Layout
from rowloom.hw.mapping.engine import Path, has_zero, is_linear
from rowloom.hw.mapping.fold import Fold
from rowloom.hw.mapping.planes import Planes
from rowloom.hw.mapping.regions import Region
from rowloom.hw.mapping.squares import Square
from rowloom.hw.mapping.weights import RowWeights
from rowloom.hw.mapping.window import Window
from rowloom.hw.units import SPECS, UnitSpec
from rowloom.model.encodings import Encoding
from rowloom.model.post import Post

__all__ = ["Step"]


@dataclass(kw_only=True)
class Step:
    """A layer while it is being compiled.

    Parameters
    ----------
    layer : Layer or Send
    path : {"array", "vector", "pool"}
    spec : type of UnitSpec or None
        Unit that runs it on an array.
    source, target : Encoding
        Of its input and output. A source whose value is code - zero_point is the bare code; what follows from
        that is known when the network is compiled.
    zero : int
        Code of the source that means 0.
    pad : int
        Code of the source that padding holds.
    layouts : tuple of Layout
        Of its inputs.
    places : int64 [M]
        Place of each output channel among the codes of a pixel.
    others : int64 or None
        Places in its input's words that hold channels of other maps.
    window : Window
    argmax : bool
        The last layer's results leave as the place of the greatest.
    tensor : str
        What leaves, or stays in the banks.
    final : bool
        The output leaves instead of staying in the banks.
    array : ArrayParameters, VectorParameters or None
        Runs it, None for pooling.
    drains : int
        Codes of a column that leave it at once.
    fold : Fold
        Set when the array is known.
    weights : RowWeights
        Set with the fold, for steps that sum.
    span : (int, int)
        Least and greatest sum on the vector path, set with the weights.
    lead : int or None
        Sections of weights that may be there unused when those of this layer begin to come; None if its weights stay.
    bounds : (list of int, list of int)
        Least and greatest sum of every output channel, in the model's terms; empty where nothing is summed.
    planes : Planes or None
        Set where the layer runs as bit planes on the xnor array.
    region : Region or None
        Which region of its output the step gives; None for all of it.
    square : Square or None
        What it writes instead of its output: squares of pixels.
    kept : bool [blocks, accumulation] or None
        Words that are multiplied, set with the weights where others are left out.
    """

    layer: Any
    path: Path
    spec: type[UnitSpec] | None
    source: Encoding
    target: Encoding
    zero: int
    pad: int
    layouts: tuple[Layout, ...]
    places: np.ndarray
    window: Window
    argmax: bool
    tensor: str
    final: bool
    array: Any
    drains: int
    bounds: tuple[list[int], list[int]]
    planes: Planes | None = None
    region: Region | None = None
    square: Square | None = None
    others: np.ndarray | None = None
    fold: Fold = field(init=False)
    weights: RowWeights = field(init=False)
    span: tuple[int, int] = field(init=False)
    kept: np.ndarray | None = None
    weight_base: int = 0
    lead: int | None = None
    threshold_base: int = 0
    pair_base: int = 0
    skip_base: int = 0

    @property
    def name(self) -> str:
        """What reports call it."""
        name: str = self.layer.name
        return name if self.region is None else f"{name} {self.region}"

    @property
    def output(self) -> str:
        """Tensor that it gives."""
        output: str = self.layer.output
        return output if self.square is None else self.square.output

    @property
    def inputs(self) -> tuple[str, ...]:
        """Tensors that it reads."""
        inputs: tuple[str, ...] = self.layer.inputs
        return inputs

    @property
    def layout(self) -> Layout:
        """Of its first input."""
        return self.layouts[0]

    @property
    def pads(self) -> bool:
        """Whether padded taps hold another code than 0."""
        return bool(self.pad) and self.path != "pool" and not getattr(self.array, "live_padding", False)

    @property
    def mergeable(self) -> bool:
        """Whether rows that are padding may stand beside others in a word: a lane of code 0 then counts for nothing."""
        if self.path != "array" or self.array.live_padding:
            return False
        if self.planes is not None:
            return self.planes.solid
        return self.spec is not SPECS["xnor"] and has_zero(self.source) and is_linear(self.layer)

    @property
    def scale(self) -> int:
        """The unit's sums are sums of products shifted by so much, beside their offset."""
        return 0 if self.planes is None else self.planes.scale

    def row_range(self, group: int) -> tuple[int, int]:
        """Least and greatest sum that a processing element accumulates, in the unit's offset form."""
        array, fold = self.array, self.fold
        low, high = array.spec.word_range(array.lanes * (group if array.stacked else 1))
        if self.planes is None:
            return low * fold.accumulation, high * fold.accumulation
        # Sums of planes are counts: they only grow, and lanes without a channel count nothing where code 0 means 0.
        if self.planes.solid:
            rows = self.window.rows if fold.merged else fold.chunks
            words = rows * fold.taps * self.layout.channels
            high = 2 if array.half else 1
        else:
            words = fold.chunks * fold.taps * fold.words
        return 0, int(self.planes.coefficients.sum()) * words * high

    @property
    def levels(self) -> int:
        """Comparisons that find an output code."""
        if self.layer_post is None:
            return 1
        # a lane of one level adds no least code
        return max(self.target.bits, 2 if self.target.code_min else 1)

    def result_code(self, levels: int) -> tuple[int, bool]:
        """Width of the codes that leave, and whether they are two's complement."""
        return min(levels, self.target.bits), self.target.signed

    @property
    def layer_post(self) -> Post:
        """What turns the layer's sums into codes, if anything does."""
        return None if self.path == "pool" else self.layer.post
