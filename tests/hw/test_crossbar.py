import numpy as np
import pytest

from rowloom.hw.crossbar import Crossbar
from tests.hw.cycles import trace
from tests.hw.machines import hardware


@pytest.mark.parametrize(("banks", "cols", "group"), [(4, 3, 2), (8, 1, 3), (2, 2, 1)])
def test_every_stream_picks_its_bank_or_zero(banks, cols, group):
    rng = np.random.default_rng(banks)
    crossbar = Crossbar(hardware=hardware(banks=banks, cols=cols, group=group))
    streams = [f"{j}_{q}" for q in range(cols) for j in range(group)]
    inputs, want = [], []
    for _ in range(60):
        words = rng.integers(0, 256, banks).tolist()
        given = {f"bank_{b}": word for b, word in enumerate(words)}
        answer = {}
        for stream in streams:
            bank, live = int(rng.integers(banks)), int(rng.random() < 0.7)
            given |= {f"select_{stream}": bank, f"live_{stream}": live}
            answer |= {f"stream_{stream}": words[bank] if live else 0, f"stream_live_{stream}": live}
        inputs.append(given)
        want.append(answer)
    seen = trace(crossbar, inputs, list(want[0]), extra=1)
    assert seen[1:] == want
