"""Elementwise sums of maps, each through a table of its codes."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from rowloom.model.bounds import add_reach
from rowloom.model.encodings import Encoding
from rowloom.model.evaluate.finish import Finish
from rowloom.model.evaluate.numbers import exact_type, look_up
from rowloom.model.layers import Add


@dataclass(frozen=True, slots=True)
class TableSums:
    """An addition, prepared."""

    tables: tuple[NDArray[Any], ...]
    code_mins: tuple[int, ...]
    finish: Finish

    @classmethod
    def of(cls, layer: Add, sources: list[Encoding], target: Encoding) -> "TableSums":
        """Return the layer prepared."""
        bound = add_reach(layer)
        dtype = exact_type(bound)
        return cls(
            tables=tuple(table.astype(dtype) for table in layer.tables),
            code_mins=tuple(source.code_min for source in sources),
            finish=Finish.of(layer, target, dtype, bound),
        )

    def codes(self, *maps: NDArray[Any]) -> NDArray[Any]:
        """Return output codes [N, H, W, C] of codes of that shape."""
        first, *others = zip(self.tables, self.code_mins, maps, strict=True)
        total = look_up(*first)
        for each in others:
            total += look_up(*each)
        return self.finish.codes(self.finish.turn(total))
