"""Maps in banks, word by word as :class:`rowloom.hw.layout.Layout` says in prose."""

import numpy as np


def store(layout, codes):
    """Contents of the banks that hold a map of codes [H, W, C]."""
    height, width, channels = layout.shape
    banks = [[0] * (layout.base + layout.depth) for _ in range(layout.banks)]
    mask = (1 << layout.bits) - 1
    for y, x in np.ndindex(height, layout.width):
        if layout.packed:
            columns = [x * layout.stride - layout.padding + s for s in range(layout.window)]
            pixel = [codes[y, i] if 0 <= i < width else np.zeros(channels, int) for i in columns]
            pixel = np.concatenate(pixel)
        else:
            pixel = codes[y, x]
        row, turn = divmod(y, layout.deep)
        words = -(-len(pixel) // layout.lanes)
        address = layout.base + row // layout.banks * layout.row_words
        address += (x * layout.deep + turn) * words * layout.word_planes
        for word in range(words):
            lanes = pixel[word * layout.lanes : (word + 1) * layout.lanes]
            value = sum((int(code) & mask) << (i * layout.bits) for i, code in enumerate(lanes))
            if not layout.planes:
                banks[row % layout.banks][address + word] = value
                continue
            for bit in range(layout.bits):
                plane = sum((int(code) >> bit & 1) << i for i, code in enumerate(lanes))
                banks[row % layout.banks][address + word * layout.bits + bit] = plane
    return banks
