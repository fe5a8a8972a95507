"""What to compute: the integer network, its golden model, and the torch side that trains it.

Importing this package, a network or the golden model needs numpy alone; torch is imported only by
``quant``, ``nn``, ``nets``, ``training`` and ``lowering``.
"""
