import numpy as np
import pytest
from amaranth.lib.crc.catalog import CRC16_IBM_3740
from hypothesis import given
from hypothesis import strategies as st

from rowloom.boards.protocol import About, Kind, crc, frame, symbol_bytes
from rowloom.model.errors import RowloomError

ABOUT = About(input_bits=8, output_bits=20, input_beats=12, output_beats=3, identity=0xDEADBEEF)


@given(st.binary(max_size=64))
def test_crc_is_the_catalogued_one(data):
    assert int.from_bytes(crc(data), "big") == CRC16_IBM_3740(8).compute(data)


def test_crc_check_value():
    assert crc(b"123456789") == bytes.fromhex("29b1")  # from the CRC RevEng catalogue


def test_frame():
    assert frame(Kind.ABOUT) == b"V" + crc(b"V")


@pytest.mark.parametrize(("bits", "size"), [(1, 1), (8, 1), (9, 2), (16, 2), (17, 3)])
def test_symbol_bytes(bits, size):
    assert symbol_bytes(bits) == size


def test_about_survives():
    assert About.unpack(ABOUT.pack()) == ABOUT


@pytest.mark.parametrize("payload", [b"", b"\x02" + ABOUT.pack()[1:], ABOUT.pack()[:-1]])
def test_about_of_another_version_or_length_is_refused(payload):
    with pytest.raises(RowloomError, match=r"^board: s"):
        About.unpack(payload)


@pytest.mark.parametrize("bits", [1, 2, 7, 8, 9, 16, 17, 24, 31, 32, 48])
def test_values_survive(bits):
    about = About(input_bits=bits, output_bits=bits, input_beats=4, output_beats=4, identity=0)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    values = np.array([low, high, 0, -1 if bits > 1 else 0])
    payload = about.encode_image(values)[1:-2]
    wrapped = about.decode_result(payload)
    assert wrapped.dtype == np.int64
    assert (wrapped == values).all()


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.zeros(11, int), r"^image: has 11 codes, need 12$"),
        (np.full(12, 256), r"^image: has codes from 256 to 256, need 8 bits at most$"),
        (np.full(12, -129), r"^image: has codes from -129 to -129, need 8 bits at most$"),
    ],
)
def test_wrong_images_are_refused(codes, message):
    with pytest.raises(RowloomError, match=message):
        ABOUT.encode_image(codes)
