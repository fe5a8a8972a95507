"""Counting bits gives what multiplying gives."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rowloom.model import golden
from rowloom.model.encodings import Binary, Codebook, DoReFa, PowerOfTwo, Quinary, Ternary, Uniform
from rowloom.model.layers import Conv2d, Linear
from rowloom.model.network import Network, Tensor
from rowloom.model.packed import Planes, countable, pays
from rowloom.model.post import Thresholds

WEIGHTS = [
    Binary(),
    Ternary(),
    Quinary(),
    DoReFa(2),
    DoReFa(3),
    Uniform(bits=2, signed=True),
    Uniform(bits=4, signed=True, zero_point=3),
    Codebook((-5, 0, 7)),
    PowerOfTwo(bits=2, e_min=0, e_max=0),
]
ACTIVATIONS = [
    Binary(),
    Uniform(bits=1, signed=False),
    Uniform(bits=2, signed=False),
    Uniform(bits=3, signed=True),
    Uniform(bits=2, signed=False, zero_point=1),
    Ternary(),
]


def random_codes(rng, encoding, shape):
    return rng.integers(encoding.code_min, encoding.code_max, shape, endpoint=True).astype(encoding.dtype)


def both(layer, source, target, codes):
    """Return output codes by multiplying and by counting."""
    plain = golden._WeightedSum.of(layer, source, target)
    packed = golden._packed(plain, codes.shape[1:])
    return plain.finish.codes(plain.sums(codes)), plain.finish.codes(packed.sums(codes))


@pytest.mark.parametrize("encoding", WEIGHTS + ACTIVATIONS, ids=str)
def test_values_follow_from_bits(encoding):
    planes = Planes.of(encoding)
    assert planes is not None
    codes = np.arange(encoding.code_min, encoding.code_max + 1)
    bits = np.stack([codes >> i & 1 for i in range(encoding.bits)])
    np.testing.assert_array_equal(planes.offset + np.array(planes.coefficients) @ bits, encoding.decode(codes))
    assert planes.reach >= max(abs(encoding.min), abs(encoding.max))


@pytest.mark.parametrize(
    "encoding",
    [
        PowerOfTwo(bits=3, e_min=0, e_max=2),
        PowerOfTwo(bits=2, e_min=0, e_max=2, signed=False),
        Codebook((0, 1, 2, 5)),
        Uniform(bits=5, signed=False),
    ],
    ids=str,
)
def test_values_that_do_not_follow_from_a_few_bits(encoding):
    assert Planes.of(encoding) is None


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_convolution_by_counting(data):
    draw = data.draw
    weight, source = draw(st.sampled_from(WEIGHTS)), draw(st.sampled_from(ACTIVATIONS))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    limits = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    padding = tuple(draw(st.integers(0, limits[axis])) for axis in (0, 0, 1, 1))
    channels = draw(st.sampled_from([1, 3, 7, 8, 9, 31, 63, 64, 65, 100]))
    filters = draw(st.integers(1, 9))
    shape = (limits[0] + 1 + draw(st.integers(0, 4)), limits[1] + 1 + draw(st.integers(0, 4)), channels)
    target = draw(st.sampled_from([None, Binary(), Uniform(bits=2, signed=True), Uniform(bits=5, signed=False)]))
    post = None
    if target is not None:
        levels = target.code_max - target.code_min
        post = Thresholds(
            values=np.sort(rng.integers(-60, 60, (filters, levels)), axis=1), direction=rng.choice([-1, 1], filters)
        )
    layer = Conv2d(
        name="c",
        input="a",
        output="b",
        weights=random_codes(rng, weight, (filters, *kernel, channels)),
        weight_encoding=weight,
        stride=draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        padding=padding,
        dilation=dilation,
        pad_value=draw(st.sampled_from([None, -1, 2])),
        bias=draw(st.sampled_from([None, rng.integers(-20, 20, filters)])),
        post=post,
    )
    assert countable(layer, source)
    codes = random_codes(rng, source, (draw(st.integers(1, 3)), *shape))
    multiplied, counted = both(layer, source, target or Uniform(bits=32, signed=True), codes)
    assert multiplied.dtype == counted.dtype
    np.testing.assert_array_equal(counted, multiplied)


@pytest.mark.parametrize(("weight", "source"), list(itertools.product(WEIGHTS[:4], ACTIVATIONS[:3])), ids=str)
def test_dense_layer_by_counting(weight, source):
    rng = np.random.default_rng(0)
    layer = Linear(
        name="fc", input="a", output="b", weights=random_codes(rng, weight, (7, 3, 5, 13)), weight_encoding=weight
    )
    codes = random_codes(rng, source, (20, 3, 5, 13))
    multiplied, counted = both(layer, source, Uniform(bits=32, signed=True), codes)
    np.testing.assert_array_equal(counted, multiplied)


def test_more_filters_than_are_counted_together(monkeypatch):
    monkeypatch.setattr("rowloom.model.packed.BLOCK", 70)
    rng = np.random.default_rng(1)
    layer = Conv2d(
        name="c", input="a", output="b", weights=rng.integers(0, 2, (11, 3, 3, 20)), weight_encoding=Binary()
    )
    codes = rng.integers(0, 2, (2, 6, 7, 20)).astype(np.uint8)
    multiplied, counted = both(layer, Binary(), Uniform(bits=16, signed=True), codes)
    np.testing.assert_array_equal(counted, multiplied)


def conv(weight, filters, channels, **fields):
    return Conv2d(
        name="c",
        input="a",
        output="b",
        weights=np.full((filters, 3, 3, channels), weight.code_max),
        weight_encoding=weight,
        **fields,
    )


@pytest.mark.parametrize(
    ("layer", "source", "shape", "wanted"),
    [
        (conv(Binary(), 64, 64), Binary(), (14, 14, 64), True),
        (conv(Binary(), 64, 64), Uniform(bits=8, signed=False), (14, 14, 64), False),
        (conv(Uniform(bits=4, signed=True), 64, 64), Uniform(bits=4, signed=False), (14, 14, 64), False),
        (conv(Binary(), 64, 32, groups=2), Binary(), (14, 14, 64), False),
        (conv(Binary(), 16, 1), Binary(), (14, 14, 1), False),
    ],
)
def test_counts_where_that_is_faster(layer, source, shape, wanted):
    assert pays(layer, source, shape, 16) == wanted


def test_sums_that_may_not_fit_are_multiplied():
    # Partial sums may reach 576 taps times 3 (of -1 + 2 * bit) times 3 * value.
    assert 576 * 9 * 414_252 < 1 << 31 < 576 * 9 * 414_253
    assert countable(conv(Codebook((-414_252, 414_252)), 2, 64), Binary())
    assert not countable(conv(Codebook((-414_253, 414_253)), 2, 64), Binary())
    assert not countable(conv(Binary(), 1, 7282), Binary())
    assert countable(conv(Binary(), 1, 7281), Binary())


def test_the_golden_model_counts(monkeypatch):
    """A layer that pays gives the same codes when it must be multiplied."""
    rng = np.random.default_rng(2)
    layer = Conv2d(
        name="c",
        input="a",
        output="b",
        weights=rng.integers(0, 2, (64, 3, 3, 64)),
        weight_encoding=Binary(),
        padding=(1, 1, 1, 1),
        post=Thresholds(values=rng.integers(-9, 9, (64, 1)), direction=rng.choice([-1, 1], 64)),
    )
    net = Network(
        name="n",
        tensors=tuple(Tensor(name=name, shape=(14, 13, 64), encoding=Binary()) for name in "ab"),
        layers=(layer,),
        input="a",
        outputs=("b",),
    )
    codes = rng.integers(0, 2, (3, 14, 13, 64))
    counted = net.run(codes)
    monkeypatch.setattr(golden, "_packed", None)
    with pytest.raises(TypeError):
        net.run(codes)
    monkeypatch.setattr(golden, "pays", lambda *_: False)
    np.testing.assert_array_equal(net.run(codes), counted)
