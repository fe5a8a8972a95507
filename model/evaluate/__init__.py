"""Parts of the golden model: how each kind of layer is computed, batched and exact, in numpy."""
