import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowloom.model.encodings import Binary, Encoding, Uniform
from rowloom.model.errors import RowloomError

uniforms = st.builds(
    Uniform, bits=st.integers(1, 10), signed=st.booleans(), zero_point=st.integers(-(1 << 20), 1 << 20)
)
encodings = st.one_of(st.just(Binary()), uniforms)


@given(encodings)
def test_decode_inverts_encode_over_every_code(encoding):
    codes = np.arange(encoding.code_min, encoding.code_max + 1)
    values = encoding.decode(codes)
    assert values.dtype == np.int64
    assert (encoding.min, encoding.max) == (values.min(), values.max())
    again = encoding.encode(values)
    assert again.dtype == encoding.dtype
    np.testing.assert_array_equal(again, codes)
    assert len(codes) == 1 << encoding.bits


@given(encodings)
def test_json_round_trip(encoding):
    assert Encoding.from_json(json.loads(json.dumps(encoding.to_json()))) == encoding


def test_binary_codes_mean_minus_and_plus_one():
    assert Binary().decode([0, 1]).tolist() == [-1, 1]
    assert (Binary().bits, Binary().signed, Binary().dtype) == (1, False, np.uint8)


@pytest.mark.parametrize(
    ("bits", "signed", "low", "high", "dtype"),
    [(8, False, 0, 255, "u1"), (8, True, -128, 127, "i1"), (11, True, -1024, 1023, "i2"), (48, True, None, None, "i8")],
)
def test_uniform_ranges(bits, signed, low, high, dtype):
    encoding = Uniform(bits=bits, signed=signed)
    assert encoding.dtype == np.dtype(dtype)
    if low is not None:
        assert (encoding.code_min, encoding.code_max) == (low, high)


def test_zero_point_shifts_values():
    assert Uniform(bits=8, signed=False, zero_point=3).decode([0, 3, 255]).tolist() == [-3, 0, 252]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"bits": 0, "signed": True}, r"^Uniform: bits must be 1 to 48, not 0$"),
        ({"bits": 49, "signed": True}, r"^Uniform: bits must be 1 to 48, not 49$"),
        ({"bits": 8.0, "signed": True}, r"^Uniform: bits must be 1 to 48, not 8\.0$"),
        ({"bits": 8, "signed": 1}, r"^Uniform: signed must be True or False, not 1$"),
        (
            {"bits": 8, "signed": True, "zero_point": 1 << 48},
            r"^Uniform: zero_point must be an integer of at most 48 bits, not 281474976710656$",
        ),
    ],
)
def test_uniform_refuses(fields, message):
    with pytest.raises(RowloomError, match=message):
        Uniform(**fields)


@pytest.mark.parametrize("value", [0, 2, -2])
def test_binary_refuses_other_values(value):
    with pytest.raises(RowloomError, match=rf"^Binary\(\): value must be -1 or \+1, not {value}$"):
        Binary().encode([1, value])


@pytest.mark.parametrize("value", [-1, 256, 0.5, float("nan")])
def test_uniform_refuses_other_values(value):
    with pytest.raises(RowloomError, match=r"^Uniform\(.*\): value must be an integer in 0 to 255, not "):
        Uniform(bits=8, signed=False).encode([value])


def test_check_codes_tells_subject_and_range():
    Binary().check_codes([0, 1], "w")
    Binary().check_codes(np.zeros((0, 3), int), "w")
    with pytest.raises(RowloomError, match=r"^w: code 2 is outside Binary\(\), codes must be in 0 to 1$"):
        Binary().check_codes([0, 2], "w")
    with pytest.raises(RowloomError, match=r"^w: codes must be integers, not float64$"):
        Binary().check_codes([0.0], "w")


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ({"kind": "morse"}, r"^encoding: unknown kind 'morse', must be .*binary.*uniform"),
        ({}, r"^encoding: unknown kind None"),
        ({"kind": "uniform", "bit": 3}, r"^encoding uniform: wrong fields \['bit'\]$"),
    ],
)
def test_from_json_refuses(obj, message):
    with pytest.raises(RowloomError, match=message):
        Encoding.from_json(obj)
