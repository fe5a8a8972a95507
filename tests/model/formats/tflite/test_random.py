"""Random models against the reference kernels, and some of them in the accelerator."""

from collections import Counter

import numpy as np
import pytest

import rowloom
from rowloom.model.formats.tflite import from_bytes
from rowloom.model.host import host_codes, host_run
from tests.hw.exact import assert_exact
from tests.model.formats.tflite.models import reference
from tests.model.formats.tflite.random_models import ENDS, MAPS, random_model
from tests.model.formats.tflite.test_operators import images

SEEDS = range(160)

GATES = (0, 1, 2)


def compared(seed, unsigned=False):
    """Compare a model with the reference kernels; return what it is made of and how many codes do not clip."""
    content, made = random_model(seed, unsigned=unsigned)
    net = from_bytes("m", "m", content).network
    x = images(content, 6)
    want = reference(content, x)
    got = host_run(net, x)
    assert np.array_equal(got.reshape(want.shape), want), f"seed {seed}: {', '.join(made)}"
    return made, np.mean((want > want.min()) & (want < want.max()))


@pytest.mark.parametrize("unsigned", [False, True])
def test_equal_the_reference_kernels(unsigned):
    made, middle = zip(*(compared(seed, unsigned) for seed in SEEDS), strict=True)
    counts = Counter(name for names in made for name in names)
    assert set(counts) == {*MAPS, *ENDS}
    assert np.mean(middle) > 0.2, "nearly all clip: rounding was not compared"


@pytest.mark.cocotb
@pytest.mark.parametrize("seed", GATES)
def test_in_the_accelerator(seed):
    content, _ = random_model(seed, least=3)
    net = from_bytes("m", "m", content).network
    design = rowloom.compile(net, rowloom.ArrayConfig(rows=3, cols=2, lanes=4))
    assert_exact(design, host_codes(net, images(content, 2)), stalls=True, seed=seed)
