"""The same network in other layers: what engines, and other formats of files, can do instead."""
