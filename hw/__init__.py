"""How to compute it: units, array, memories, sequencer, and the mapping onto them."""

from rowloom.hw.config import DEFAULT, ArrayConfig, Budget
from rowloom.hw.design import Design, LayerPlan
from rowloom.hw.mapping.compile import compile

__all__ = ["DEFAULT", "ArrayConfig", "Budget", "Design", "LayerPlan", "compile"]
