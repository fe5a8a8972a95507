"""What every layer tells, and the checks that several kinds share."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

from rowloom.model.arith import output_length
from rowloom.model.errors import RowloomError

Shape = tuple[int, int, int]
"""(H, W, C) of a tensor; the batch is outside."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer(ABC):
    """One operator that reads tensors and writes one.

    Parameters
    ----------
    name : str
        Unique in a network; used in errors and reports.
    output : str
        Name of the tensor that it writes.
    """

    op: ClassVar[str]
    """Name of the operator in files and reports."""

    name: str
    output: str

    def __post_init__(self) -> None:
        for what, value in (("name", self.name), ("output", self.output)):
            _check_name(what, value)
        if not isinstance(self.inputs, tuple) or not self.inputs:
            raise RowloomError(self.name, f"inputs must be a tuple of names, not {self.inputs!r}")
        for value in self.inputs:
            _check_name("input", value)

    @property
    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """Names of every tensor that the layer reads, in order."""

    @abstractmethod
    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the shape of the output for inputs of ``shapes``; RowloomError if it cannot be."""

    @abstractmethod
    def macs(self, *shapes: Shape) -> int:
        """Return the multiply-accumulates of an image whose inputs have ``shapes``, padded taps included."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnaryLayer(Layer):
    """A layer that reads one tensor.

    Parameters
    ----------
    input : str
        Name of that tensor.
    """

    input: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The one input."""
        return (self.input,)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NaryLayer(Layer):
    """A layer that reads any number of tensors.

    Parameters
    ----------
    inputs : tuple of str
        Names of at least one tensor, in order; a name may stand there twice.
    """

    inputs: tuple[str, ...] = field()


def _check_name(what: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise RowloomError("layer", f"{what} must be a string that is not empty, not {value!r}")


def check_integers(name: str, what: str, values: tuple[int, ...], count: int, least: int) -> None:
    """Raise RowloomError unless ``values`` is a tuple of ``count`` integers of at least ``least``."""
    if not isinstance(values, tuple) or len(values) != count or any(type(v) is not int or v < least for v in values):
        shown = values[0] if count == 1 and isinstance(values, tuple) and len(values) == 1 else values
        kind = "an integer" if count == 1 else f"a tuple of {count} integers"
        raise RowloomError(name, f"{what} must be {kind} of at least {least}, not {shown!r}")


def slide(
    name: str,
    shape: Shape,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
) -> tuple[int, int]:
    """Return (E, F) of a window that slides over a map."""
    height = output_length(shape[0], kernel[0], stride[0], padding[0], padding[1], dilation[0])
    width = output_length(shape[1], kernel[1], stride[1], padding[2], padding[3], dilation[1])
    if height < 1 or width < 1:
        raise RowloomError(name, f"a window of {kernel} does not fit into a padded map of {shape}")
    return height, width
