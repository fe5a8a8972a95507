"""How the file that a network came from shows its input and its outputs.

A network computes on codes [N, H, W, C]. A file has its own order of axes, may feed floats, and may end in numbers
that are not integers. What lies between the two is done here, on the host: no layer and no accelerator sees it.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Encoding
from rowloom.model.endings import Ending
from rowloom.model.errors import RowloomError
from rowloom.model.softmax import IntegerSoftmax, log_softmax, softmax

STEPS = ("relu", "sigmoid", "softmax", "log_softmax", "argmax")
"""What may be done with real numbers at the end, by name; the last three run along the channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """An order of axes: file [N, *shape] = map [N, H, W, C], split and transposed.

    Parameters
    ----------
    shape : tuple of int
        In the file, without the batch.
    sizes : tuple of int
        The file's axes split so finely that every one belongs to one of H, W and C; their product is that of ``shape``.
    order : tuple of int
        A permutation: which of ``sizes`` make up H, then W, then C.
    """

    shape: tuple[int, ...]
    sizes: tuple[int, ...]
    order: tuple[int, ...]

    def __post_init__(self) -> None:
        for what in ("shape", "sizes", "order"):
            values = getattr(self, what)
            if not isinstance(values, tuple) or any(type(value) is not int or value < 0 for value in values):
                raise RowloomError("arrangement", f"{what} must be a tuple of integers, not {values!r}")
        if math.prod(self.shape) != math.prod(self.sizes):
            raise RowloomError("arrangement", f"sizes {self.sizes} do not make up a shape of {self.shape}")
        if sorted(self.order) != list(range(len(self.sizes))):
            raise RowloomError("arrangement", f"order {self.order} is no permutation of {len(self.sizes)} axes")

    @classmethod
    def maps(cls, height: int, width: int, channels: int) -> "Arrangement":
        """Return the arrangement of [N, H, W, C] itself."""
        return cls(shape=(height, width, channels), sizes=(height, width, channels), order=(0, 1, 2))

    def to_map(self, x: NDArray[Any], shape: tuple[int, int, int]) -> NDArray[Any]:
        """Return [N, *self.shape] as a map [N, *shape]."""
        split = x.reshape(len(x), *self.sizes)
        return split.transpose(0, *(axis + 1 for axis in self.order)).reshape(len(x), *shape)

    def from_map(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return a map [N, H, W, C] as [N, *self.shape]."""
        inverse = np.argsort(self.order)
        split = y.reshape(len(y), *(self.sizes[axis] for axis in self.order))
        return split.transpose(0, *(int(axis) + 1 for axis in inverse)).reshape(len(y), *self.shape)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InputView:
    """How a file feeds a network.

    Parameters
    ----------
    arrangement : Arrangement
    thresholds : float32 [N], [1, N] or [C, N], or None
        What turns a float into a code: code = code_min + #{n : x >= thresholds[n]}, which is the file's own quantizer,
        bit for bit, whatever it computes. None leaves floats to the scale of the input tensor.
    """

    arrangement: Arrangement
    thresholds: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.thresholds is None:
            return
        values = np.array(self.thresholds, dtype=np.float32, ndmin=2)
        if values.ndim != 2 or np.isnan(values).any() or np.any(values[:, 1:] < values[:, :-1]):
            raise RowloomError("input view", "thresholds must be [C, N], ascending along N")
        values.flags.writeable = False
        object.__setattr__(self, "thresholds", values)

    def check(self, subject: str, shape: tuple[int, int, int], encoding: Encoding) -> None:
        """Raise RowloomError unless this shows a tensor of that shape and encoding."""
        _check_size(subject, self.arrangement, math.prod(shape))
        if self.thresholds is not None:
            levels = encoding.code_max - encoding.code_min
            if self.thresholds.shape not in ((1, levels), (shape[2], levels)):
                raise RowloomError(
                    subject, f"its view has thresholds of {self.thresholds.shape}", f"need {levels} a channel"
                )

    def codes(self, values: NDArray[Any], code_min: int) -> NDArray[np.int64]:
        """Return the codes of floats [N, H, W, C]."""
        assert self.thresholds is not None
        values = values.astype(np.float32)
        if len(self.thresholds) == 1:
            return np.searchsorted(self.thresholds[0], values, side="right") + code_min
        result = np.empty(values.shape, np.int64)
        for channel, row in enumerate(self.thresholds):
            result[..., channel] = np.searchsorted(row, values[..., channel], side="right")
        return result + code_min


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutputView:
    """What a file shows of a tensor of a network.

    ``integers`` are codes of the tensor, or of the file's integer softmax after it. ``real`` are the file's floats:
    value * scale + offset, then ``steps``. Both are then laid out, and go through ``endings``.

    Parameters
    ----------
    name : str
        Of the output in the file.
    tensor : str
        Of the network.
    arrangement : Arrangement
    scale, offset : float64 [1] or [C]
        What a value stands for.
    softmax : IntegerSoftmax or None
        The file's own, on codes.
    steps : tuple of str
        Of :data:`STEPS`, on real numbers.
    endings : tuple of Ending
        In the axes of the file.
    """

    name: str
    tensor: str
    arrangement: Arrangement
    scale: NDArray[np.float64] = field(default_factory=lambda: np.ones(1))
    offset: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    softmax: IntegerSoftmax | None = None
    steps: tuple[str, ...] = ()
    endings: tuple[Ending, ...] = ()

    def __post_init__(self) -> None:
        for what in ("scale", "offset"):
            values = np.array(getattr(self, what), dtype=np.float64, ndmin=1)
            if values.ndim != 1 or not np.isfinite(values).all():
                raise RowloomError(self.name, f"{what} must be finite numbers along one axis")
            values.flags.writeable = False
            object.__setattr__(self, what, values)
        wrong = [step for step in self.steps if step not in STEPS]
        if wrong:
            raise RowloomError(self.name, f"has no step {wrong[0]!r}", f"must be {' or '.join(STEPS)}")

    def check(self, shape: tuple[int, int, int]) -> None:
        """Raise RowloomError unless this shows a tensor of that shape."""
        count = math.prod(shape) // (shape[2] if "argmax" in self.steps else 1)
        _check_size(self.name, self.arrangement, count)
        for what, values in (("scale", self.scale), ("offset", self.offset)):
            if len(values) not in (1, shape[2]):
                raise RowloomError(self.name, f"{what} has {len(values)} values", f"need 1 or {shape[2]}")
        shown = self.arrangement.shape
        for ending in self.endings:
            shown = ending.shape(shown)

    def integers(self, codes: NDArray[Any], values: NDArray[np.int64]) -> NDArray[Any]:
        """Return what the file's integers are for codes [N, H, W, C] of the tensor and their values."""
        if self.endings or "argmax" in self.steps:
            return self._both(codes, values)[1]
        return self.arrangement.from_map(codes if self.softmax is None else self.softmax(codes))

    def real(self, codes: NDArray[Any], values: NDArray[np.int64]) -> NDArray[Any]:
        """Return what the file's floats are for codes [N, H, W, C] of the tensor and their values.

        Computed in float64 and rounded once, to float32; indices stay integers.
        """
        return self._both(codes, values)[0]

    def _both(self, codes: NDArray[Any], values: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the floats, and the codes in the same places."""
        if self.softmax is not None:
            codes = self.softmax(codes)
            values = codes.astype(np.int64)
        result: NDArray[Any] = values * self.scale + self.offset
        for step in self.steps:
            result = _STEP[step](result)
        if "argmax" in self.steps:
            codes = result
        else:
            result = result.astype(np.float32)
        both = self.arrangement.from_map(result), self.arrangement.from_map(codes)
        for ending in self.endings:
            both = ending.apply(*both)
        return both


def _check_size(subject: str, arrangement: Arrangement, count: int) -> None:
    if math.prod(arrangement.shape) != count:
        raise RowloomError(subject, f"its view of {arrangement.shape} does not hold {count} values")


_STEP = {
    "relu": lambda x: np.maximum(x, 0.0),
    "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "softmax": softmax,
    "log_softmax": log_softmax,
    "argmax": lambda x: x.argmax(axis=-1)[..., None],
}
