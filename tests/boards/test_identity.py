from dataclasses import replace

import numpy as np

from rowloom.boards.identity import identity
from rowloom.boards.protocol import About

ABOUT = About(input_bits=8, output_bits=18, input_beats=784, output_beats=10, identity=1)


def test_identity_sees_every_field():
    about = ABOUT
    assert identity(about) == identity(replace(about))
    assert identity(about) != identity(replace(about, input_beats=785))
    assert identity((1, 2), (3,)) != identity((1,), (2, 3))
    weights = np.zeros((3, 4), np.int8)
    assert identity(weights) != identity(weights.T)
    changed = weights.copy()
    changed[2, 3] = 1
    assert identity(weights) != identity(changed)
