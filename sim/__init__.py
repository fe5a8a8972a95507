"""Is it right: bit-exact co-simulation of an accelerator against the golden model."""

from rowloom.sim.cosimulation import simulate, simulate_programs
from rowloom.sim.result import LayerResult, Mismatch, Result

__all__ = ["LayerResult", "Mismatch", "Result", "simulate", "simulate_programs"]
