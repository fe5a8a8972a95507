"""Quantizers: torch modules that map reals to the values of an encoding, with a gradient to train through."""
