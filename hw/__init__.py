"""How to compute it: units, array, memories, sequencer, and the mapping onto them."""

from rowloom.hw.built import Built
from rowloom.hw.config import DEFAULT, ArrayConfig, Budget
from rowloom.hw.design import Design, LayerPlan
from rowloom.hw.mapping.compile import compile
from rowloom.hw.mapping.overlay import compile_for, compile_together

__all__ = [
    "DEFAULT",
    "ArrayConfig",
    "Budget",
    "Built",
    "Design",
    "LayerPlan",
    "compile",
    "compile_for",
    "compile_together",
]
