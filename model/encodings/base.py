"""What every encoding tells."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
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
    def every_code(self) -> NDArray[np.int64]:
        """All codes, ascending."""
        return np.arange(self.code_min, self.code_max + 1, dtype=np.int64)

    @property
    def every_value(self) -> NDArray[np.int64]:
        """Values of all codes, from the least code up."""
        return self.decode(self.every_code)

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
