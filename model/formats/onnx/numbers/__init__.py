"""Functions of single numbers between layers: in the executor's floats and exactly."""
