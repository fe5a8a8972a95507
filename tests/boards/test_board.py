from dataclasses import replace

import pytest

from rowloom.boards import BOARDS, get
from rowloom.model.errors import RowloomError


def test_known_boards():
    assert set(BOARDS) >= {"ulx3s-85f", "icebreaker"}
    assert all(get(name).name == name for name in BOARDS)


def test_an_unknown_board_is_told_with_the_known_ones():
    with pytest.raises(RowloomError, match=r"^board 'no-such-board': unknown board, known: ulx3s-85f, icebreaker$"):
        get("no-such-board")


@pytest.mark.parametrize("field", ["clock_mhz", "core_mhz", "baud"])
def test_board_rates_are_checked(field):
    with pytest.raises(ValueError, match=rf"^{field} of board icebreaker must be positive, not 0$"):
        replace(get("icebreaker"), **{field: 0})


def test_block_ram_bits():
    assert get("icebreaker").bram_bits == 30 * 4096
    assert get("ulx3s-85f").bram_bits == 208 * 18432
