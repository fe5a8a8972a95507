"""Networks that ship with a training recipe."""
