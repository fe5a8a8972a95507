"""A toy design: what co-simulation needs of a design, round the hand-written ``fake_accelerator.v``."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rowloom.model.errors import RowloomError
from rowloom.sim import cosimulation
from rowloom.sim.bench import Ports

PORTS = Ports(input_bits=8, output_bits=17, banks=2, address_bits=4, word_bits=80, layer_bits=2)


class ToyNetwork:
    input = "image"
    outputs = ("sums",)

    def run(self, x: NDArray, keep: str | None = None) -> dict[str, NDArray]:
        assert keep == "all"
        if x.shape[1:] != (2, 2, 2):
            raise RowloomError("images", f"must be of shape (2, 2, 2), not {x.shape[1:]}")
        inverted = x ^ 0x5A
        sums = inverted.sum(axis=(1, 2, 3))
        return {
            "image": x,
            "inverted": inverted,
            "sums": np.stack([sums - 1000, -sums], axis=-1).reshape(-1, 1, 1, 2),
        }


class ToyLayout:
    """Word {c1, c0, 64 zeros} of pixel (y, x) in bank y at address 4 + x."""

    depth = 2

    def __init__(self, base: int) -> None:
        self.base = base

    def extract(self, banks: list[NDArray]) -> NDArray[np.int64]:
        words = [[int(banks[y][self.base + x]) >> 64 for x in range(2)] for y in range(2)]
        return np.array([[[word & 0xFF, word >> 8] for word in row] for row in words], dtype=np.int64)


def _plan(name: str, tensor: str, cycles: int) -> SimpleNamespace:
    leaves = tensor == "sums"
    return SimpleNamespace(
        name=name, tensor=tensor, cycles=cycles, macs=8, utilization=0.5, unit="toy", to_results=leaves
    )


@dataclass
class ToyDesign:
    """The toy as a design; ``verilog`` is its source."""

    verilog: str
    network: ToyNetwork = field(default_factory=ToyNetwork)
    layers: tuple[Any, ...] = (_plan("invert", "inverted", 4), _plan("sum", "sums", 8))
    hardware: Any = field(default_factory=lambda: SimpleNamespace(bank_depth=16))
    cycles: int = 22
    utilization: float = 0.5
    input_beats: int = 8
    output_beats: int = 2
    hides_streams: bool = True
    timeline: Any = None

    def with_parts(self, tensors: dict[str, NDArray]) -> dict[str, NDArray]:
        return dict(tensors)

    def layout(self, tensor: str) -> ToyLayout:
        return ToyLayout({"image": 0, "inverted": 4}[tensor])


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ToyDesign]:
    """Make a toy design, with pieces of its Verilog replaced."""
    source = Path(__file__).with_name("fake_accelerator.v").read_text()
    monkeypatch.setattr(cosimulation, "accelerator_verilog", lambda design, filled: (design.verilog, {}, PORTS))

    def make(**replaced: tuple[str, str]) -> ToyDesign:
        text = source
        for old, new in replaced.values():
            assert text.count(old) == 1
            text = text.replace(old, new)
        return ToyDesign(text)

    return make


@pytest.fixture
def images() -> NDArray[np.int64]:
    return np.random.default_rng(7).integers(0, 256, (5, 2, 2, 2))
