"""Maps in banks, word by word as :class:`rowloom.hw.layout.Layout` says in prose."""

import numpy as np


def store(layout, codes):
    """Contents of the banks that hold a map of codes [H, W, C]."""
    height, width, channels = layout.shape
    banks = [[0] * (layout.base + layout.depth) for _ in range(layout.banks)]
    mask = (1 << layout.bits) - 1
    for y in range(height):
        for x in range(layout.width):
            if layout.packed:
                columns = [x * layout.stride - layout.padding + s for s in range(layout.window)]
                pixel = [codes[y, i] if 0 <= i < width else np.zeros(channels, int) for i in columns]
                pixel = np.concatenate(pixel)
            else:
                pixel = codes[y, x]
            for word in range(layout.words):
                lanes = pixel[word * layout.lanes : (word + 1) * layout.lanes]
                value = sum((int(code) & mask) << (i * layout.bits) for i, code in enumerate(lanes))
                address = layout.base + y // layout.banks * layout.row_words
                if not layout.planes:
                    banks[y % layout.banks][address + x * layout.words + word] = value
                    continue
                for bit in range(layout.bits):
                    plane = sum((int(code) >> bit & 1) << i for i, code in enumerate(lanes))
                    banks[y % layout.banks][address + (x * layout.words + word) * layout.bits + bit] = plane
    return banks
