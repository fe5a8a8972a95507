import pytest

from rowloom.boards import BOARDS
from rowloom.boards.budget import budget


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_a_budget_leaves_room_for_the_shell(board):
    left = budget(board)
    assert 0.7 * board.resources.lut4 < left.lut4 < 0.9 * board.resources.lut4
    assert left.bram_blocks * left.bram_block_bits == board.bram_bits
    assert left.clock_mhz == pytest.approx(board.core_mhz)
    assert budget(board, 30).clock_mhz == pytest.approx(30)
