"""Lowering: from a trained torch module to the integer network that computes the same."""

from rowloom.model.lowering.lower import lower
from rowloom.model.lowering.thresholds import find_thresholds

__all__ = ["find_thresholds", "lower"]
