"""Layers of the network out of what the walk over the graph has gathered."""
