"""Encodings: what a stored code means as an integer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rowloom.model.errors import RowloomError

MAX_BITS = 48
"""Widest code, and widest sum, that the accelerator is generated for."""


class Encoding(ABC):
    """A finite set of integers and the code that stores each of them.

    A *code* is what memories and streams hold: ``bits`` wide, two's complement if ``signed``.
    A *value* is the integer that arithmetic sees. Subclasses are frozen dataclasses whose fields
    are plain integers, booleans or tuples of integers, and which a ``kind`` names in files.
    """

    __slots__ = ()

    kind: ClassVar[str]
    """Name in files; unique."""

    ordered: ClassVar[bool] = True
    """Whether a greater code always means a greater value, so that codes can be compared."""

    _kinds: ClassVar[dict[str, type["Encoding"]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        Encoding._kinds[cls.kind] = cls

    @property
    @abstractmethod
    def bits(self) -> int:
        """Width of a code."""

    @property
    @abstractmethod
    def signed(self) -> bool:
        """Whether a code is two's complement."""

    @abstractmethod
    def decode(self, codes: ArrayLike) -> NDArray[np.int64]:
        """Return the values of codes, which must be in range."""

    @abstractmethod
    def encode(self, values: ArrayLike) -> NDArray[Any]:
        """Return the codes of values, as ``dtype``.

        Raises
        ------
        RowloomError
            If a value is not one of this encoding.
        """

    @property
    def code_min(self) -> int:
        """Least code."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def code_max(self) -> int:
        """Greatest code."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    @property
    def min(self) -> int:
        """Least value."""
        return int(self.decode(self.code_min))

    @property
    def max(self) -> int:
        """Greatest value."""
        return int(self.decode(self.code_max))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Smallest numpy integer type that holds every code."""
        for width in (8, 16, 32, 64):
            if self.bits <= width:
                break
        return np.dtype(f"{'int' if self.signed else 'uint'}{width}")

    def check_codes(self, codes: ArrayLike, subject: str) -> None:
        """Raise RowloomError, about ``subject``, unless all are integer codes of this encoding."""
        array = np.asarray(codes)
        if array.dtype.kind not in "iub":
            raise RowloomError(subject, f"codes must be integers, not {array.dtype}")
        if array.size == 0:
            return
        for code in (int(array.min()), int(array.max())):
            if not self.code_min <= code <= self.code_max:
                raise RowloomError(
                    subject,
                    f"code {code} is outside {self}",
                    f"codes must be in {self.code_min} to {self.code_max}",
                )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that ``from_json`` takes."""
        return {"kind": self.kind} | {
            f.name: getattr(self, f.name)
            for f in fields(self)  # type: ignore[arg-type]
        }

    @staticmethod
    def from_json(obj: Mapping[str, Any]) -> "Encoding":
        """Return the encoding that a JSON object names.

        Raises
        ------
        RowloomError
            If the kind is unknown or a field is wrong.
        """
        arguments = {key: tuple(value) if isinstance(value, list) else value for key, value in obj.items()}
        kind = arguments.pop("kind", None)
        if kind not in Encoding._kinds:
            known = " or ".join(sorted(Encoding._kinds))
            raise RowloomError("encoding", f"unknown kind {kind!r}", f"must be {known}")
        try:
            return Encoding._kinds[kind](**arguments)
        except TypeError:
            raise RowloomError(f"encoding {kind}", f"wrong fields {sorted(arguments)}") from None


@dataclass(frozen=True, slots=True)
class Binary(Encoding):
    """-1 and +1, stored as 0 and 1."""

    kind = "binary"

    @property
    def bits(self) -> int:
        """Width of a code: 1."""
        return 1

    @property
    def signed(self) -> bool:
        """Codes are unsigned."""
        return False

    def decode(self, codes: ArrayLike) -> NDArray[np.int64]:
        """Return 2 * code - 1."""
        return 2 * np.asarray(codes, dtype=np.int64) - 1

    def encode(self, values: ArrayLike) -> NDArray[Any]:
        """Return (value + 1) / 2 of values that are all -1 or +1."""
        array = np.asarray(values)
        wrong = array[(array != -1) & (array != 1)]
        if wrong.size:
            raise RowloomError("Binary()", f"value must be -1 or +1, not {wrong.flat[0]}")
        return (array > 0).astype(self.dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform(Encoding):
    """Equally spaced integers: value = code - zero_point.

    Parameters
    ----------
    bits : int
        Width of a code, 1 to 48.
    signed : bool
        Whether a code is two's complement.
    zero_point : int
        The code that means 0; need not be a code itself.
    """

    kind = "uniform"

    bits: int = field()
    signed: bool = field()
    zero_point: int = 0

    def __post_init__(self) -> None:
        if type(self.bits) is not int or not 1 <= self.bits <= MAX_BITS:
            raise RowloomError("Uniform", f"bits must be 1 to {MAX_BITS}, not {self.bits!r}")
        if type(self.signed) is not bool:
            raise RowloomError("Uniform", f"signed must be True or False, not {self.signed!r}")
        if type(self.zero_point) is not int or abs(self.zero_point) >= 1 << MAX_BITS:
            raise RowloomError(
                "Uniform",
                f"zero_point must be an integer of at most {MAX_BITS} bits, not {self.zero_point!r}",
            )

    def decode(self, codes: ArrayLike) -> NDArray[np.int64]:
        """Return code - zero_point."""
        return np.asarray(codes, dtype=np.int64) - self.zero_point

    def encode(self, values: ArrayLike) -> NDArray[Any]:
        """Return value + zero_point of integer values in ``min`` to ``max``."""
        array = np.asarray(values)
        wrong = array[~((array >= self.min) & (array <= self.max) & (array == np.rint(array)))]
        if wrong.size:
            raise RowloomError(
                str(self),
                f"value must be an integer in {self.min} to {self.max}, not {wrong.flat[0]}",
            )
        return (array.astype(np.int64) + self.zero_point).astype(self.dtype)
