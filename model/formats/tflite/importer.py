"""From the records of a TFLite file to a network: what the reference kernels compute, bit for bit."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rowloom.model.encodings import Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.formats.builder import Builder, Imported
from rowloom.model.formats.floats import float_thresholds
from rowloom.model.formats.tflite.constants import FOLDABLE, fold
from rowloom.model.formats.tflite.reader import File, FileTensor, Operator
from rowloom.model.layers import Shape
from rowloom.model.softmax import IntegerSoftmax
from rowloom.model.views import Arrangement, InputView, OutputView

_ENCODINGS = {"INT8": (8, True), "UINT8": (8, False), "INT4": (4, True)}

INPUT = "input"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Value:
    """What a tensor of the file is in the network.

    Parameters
    ----------
    tensor : str
        Of the network.
    shape : tuple of int
        In the file, with the batch.
    padding : (int, int, int, int)
        Zeros round it that no layer has put there yet.
    softmax : IntegerSoftmax or None
        Applied on the host.
    real : bool
        Whether the file turns it into floats.
    """

    tensor: str
    shape: tuple[int, ...]
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    softmax: IntegerSoftmax | None = None
    real: bool = False


def map_shape(shape: tuple[int, ...]) -> Shape | None:
    """Return H, W, C of a shape with a batch of one; None if it is no map."""
    if not 1 <= len(shape) <= 4 or (len(shape) > 1 and shape[0] != 1) or min(shape, default=0) < 1:
        return None
    sizes = (1, 1, 1, *(shape[1:] if len(shape) > 1 else shape))
    return sizes[-3], sizes[-2], sizes[-1]


class Importer:
    """Walks the operators of a file in their order, which is one of execution."""

    def __init__(self, subject: str, name: str, file: File) -> None:
        self.subject = subject
        self.file = file
        self.builder = Builder(name=name)
        self.values: dict[int, Value] = {}
        self.constants: dict[int, NDArray[np.int64]] = {}
        self.counts: dict[str, int] = {}
        self.thresholds: NDArray[np.float32] | None = None
        self.input_file_shape: tuple[int, ...] = ()
        self.input_index = -1

    def fail(self, operator: Operator, problem: str, remedy: str | None = None) -> RowloomError:
        """Return the error that names the file and the operator."""
        return RowloomError(f"{self.subject}: {operator}", problem, remedy)

    def run(self) -> Imported:
        """Import the whole file."""
        # Operators import the functions that turn them into layers, which import this class.
        from rowloom.model.formats.tflite.operators import OPERATORS

        self._begin()
        known = {**OPERATORS, **dict.fromkeys(FOLDABLE, Importer._fold)}
        for operator in self.file.operators:
            if operator.kind not in known:
                raise self.fail(operator, "is not supported", f"supported: {', '.join(sorted(known))}")
            try:
                known[operator.kind](self, operator)
            except RowloomError as error:
                if error.subject.startswith(self.subject):
                    raise
                raise self.fail(operator, str(error)) from None
        views = [self._output(index) for index in self.file.outputs]
        return self.builder.finish(
            source=INPUT,
            input_view=InputView(
                arrangement=self._arrangement(self.input_file_shape, INPUT), thresholds=self.thresholds
            ),
            output_views=views,
            about={"format": "TFLite"} | ({"description": self.file.description} if self.file.description else {}),
        )

    # What operators ask for.

    def tensor(self, index: int, operator: Operator, what: str) -> FileTensor:
        """Return the record of a tensor that must be there."""
        if not 0 <= index < len(self.file.tensors):
            raise self.fail(operator, f"has no {what}")
        return self.file.tensors[index]

    def inputs(self, operator: Operator, least: int, most: int) -> tuple[int, ...]:
        """Return the indices of the inputs, which must be that many; those left out at the end are dropped."""
        indices = operator.inputs
        while indices and indices[-1] == -1:
            indices = indices[:-1]
        if not least <= len(indices) <= most or -1 in indices or len(operator.outputs) != 1:
            raise self.fail(
                operator,
                f"has {len(indices)} inputs and {len(operator.outputs)} outputs",
                f"need {least}{f' to {most}' if most > least else ''} and 1",
            )
        return indices

    def value(self, index: int, operator: Operator, *, padded: bool = False) -> Value:
        """Return the value of a tensor that is computed, placing the network's input on first use."""
        tensor = self.tensor(index, operator, "input")
        value = self.values.get(index)
        if value is None:
            what = "is a constant" if tensor.data is not None else "is not computed before"
            raise self.fail(operator, f"its input {tensor.name} {what}")
        if value.softmax is not None or value.real:
            raise self.fail(operator, "comes after SOFTMAX or DEQUANTIZE", "need those at the end")
        shape = map_shape(value.shape)
        if shape is None:
            raise self.fail(operator, f"its input {tensor.name} is {value.shape}", "need up to 4 axes and a batch of 1")
        if value.tensor == INPUT and INPUT not in self.builder.tensors:
            self._place_input(operator, shape)
        if any(value.padding) and not padded:
            raise self.fail(operator, "comes after PAD", "need a convolution or a pool there")
        if shape != self.builder.tensors[value.tensor].shape and math.prod(shape) != shape[2]:
            raise self.fail(
                operator,
                f"takes {tensor.name} as {shape}, but it was computed as {self.builder.tensors[value.tensor].shape}",
                "data cannot be rearranged between layers",
            )
        return value

    def encoding(self, tensor: FileTensor, operator: Operator) -> tuple[Uniform, float]:
        """Return encoding and scale of an activation."""
        if tensor.type not in _ENCODINGS or tensor.quantization is None:
            raise self.fail(
                operator,
                f"tensor {tensor.name} is {tensor.type}" + ("" if tensor.quantization else " and not quantized"),
                "need int8 with one scale",
            )
        if len(tensor.quantization.scales) != 1:
            raise self.fail(operator, f"tensor {tensor.name} has {len(tensor.quantization.scales)} scales", "need one")
        bits, signed = _ENCODINGS[tensor.type]
        encoding = Uniform(bits=bits, signed=signed, zero_point=int(tensor.quantization.zero_points[0]))
        if not encoding.code_min <= encoding.zero_point <= encoding.code_max:
            raise self.fail(
                operator,
                f"tensor {tensor.name} has zero point {encoding.zero_point}",
                f"need {encoding.code_min} to {encoding.code_max}",
            )
        return encoding, float(tensor.quantization.scales[0])

    def output(self, operator: Operator) -> FileTensor:
        """Return the record of the one output."""
        return self.tensor(operator.outputs[0], operator, "output")

    def layer_name(self, stem: str) -> str:
        """Return ``stem`` and its number."""
        self.counts[stem] = self.counts.get(stem, 0) + 1
        return f"{stem}{self.counts[stem]}"

    def integers(self, index: int, operator: Operator, what: str) -> NDArray[np.int64]:
        """Return integers that are constant."""
        tensor = self.tensor(index, operator, what)
        if index in self.constants:
            return self.constants[index]
        if tensor.data is None or tensor.data.dtype.kind not in "iu":
            raise self.fail(operator, f"its {what} {tensor.name} is not constant", "need sizes that are known")
        return tensor.data.astype(np.int64)

    def set(self, operator: Operator, value: Value, text: str, layer: str | None = None) -> None:
        """Say what an operator's output is; its shape must be what the file says."""
        index = operator.outputs[0]
        said = self.file.tensors[index].shape
        if said and math.prod(said) != math.prod(value.shape):
            raise self.fail(operator, f"gives {value.shape}, but the file says {said}", "shapes must agree")
        self.values[index] = value
        self.builder.note([str(operator)], layer, text)

    # Its own steps.

    def _begin(self) -> None:
        if len(self.file.inputs) != 1:
            raise RowloomError(self.subject, f"has {len(self.file.inputs)} inputs", "need one")
        if not self.file.outputs or -1 in self.file.outputs:
            raise RowloomError(self.subject, "has no output", "need at least one")
        if not self.file.operators:
            raise RowloomError(self.subject, "has no operator", "need at least one")
        self.input_index = self.file.inputs[0]
        if self.input_index == -1:
            raise RowloomError(self.subject, "has no input", "need one")
        tensor = self.file.tensors[self.input_index]
        self.input_file_shape = tensor.shape
        if map_shape(tensor.shape) is None:
            raise RowloomError(
                f"{self.subject}: input {tensor.name}", f"is {tensor.shape}", "need up to 4 axes and a batch of 1"
            )
        self.values[self.input_index] = Value(tensor=INPUT, shape=tensor.shape)

    def _place_input(self, operator: Operator, shape: Shape) -> None:
        tensor = self.file.tensors[self.input_index]
        encoding, scale = self.encoding(tensor, operator)
        self.builder.place(INPUT, shape, encoding, scale)

    def quantize_input(self, operator: Operator) -> None:
        """Let the operator, a QUANTIZE of floats, be the host's: its output is the network's input."""
        tensor = self.output(operator)
        encoding, scale = self.encoding(tensor, operator)

        def codes(x: NDArray[np.float32]) -> NDArray[np.int64]:
            with np.errstate(over="ignore"):
                quotient = np.clip(x / np.float32(scale), -1e9, 1e9)
            away = np.copysign(np.floor(np.abs(quotient) + np.float32(0.5)), quotient).astype(np.int64)
            return np.clip(away + encoding.zero_point, encoding.code_min, encoding.code_max)

        self.thresholds = float_thresholds(self.subject, codes, encoding, 1)
        self.input_index = operator.outputs[0]
        self.values[self.input_index] = Value(tensor=INPUT, shape=self.values[operator.inputs[0]].shape)
        self.builder.note([str(operator)], None, "on the host: floats to codes")

    def _fold(self, operator: Operator) -> None:
        """Compute what is constant: sizes."""
        known: list[NDArray[np.int64]] = []
        for index in operator.inputs:
            if operator.kind == "SHAPE" and index in self.values:
                known.append(np.array(self.values[index].shape, np.int64))
            else:
                known.append(self.integers(index, operator, "input"))
        result = fold(operator, known)
        if result is None or len(operator.outputs) != 1:
            raise self.fail(operator, "cannot be computed beforehand", "need sizes that are known")
        self.constants[operator.outputs[0]] = result
        self.builder.note([str(operator)], None, "computed beforehand")

    def _output(self, index: int) -> OutputView:
        tensor = self.file.tensors[index]
        value = self.values.get(index)
        where = f"{self.subject}: output {tensor.name}"
        if value is None:
            raise RowloomError(where, "is computed by no operator")
        if any(value.padding) or value.tensor not in self.builder.tensors:
            raise RowloomError(where, "comes from no layer", "need an operator that computes")
        encoding = self.builder.tensors[value.tensor].encoding
        scale = self.builder.tensors[value.tensor].scale
        offset = 0.0
        if value.softmax is not None:
            scale, offset = 1 / 256, 0.5
        elif scale is None and tensor.quantization is not None:
            scale = float(tensor.quantization.scales[0])
        del encoding
        return OutputView(
            name=tensor.name,
            tensor=value.tensor,
            arrangement=self._arrangement(value.shape, value.tensor),
            scale=np.array([1.0 if scale is None else scale]),
            offset=np.array([offset]),
            softmax=value.softmax,
        )

    def _arrangement(self, shape: tuple[int, ...], tensor: str) -> Arrangement:
        """Maps are stored in the file's order of axes, so that only their shapes may differ."""
        if tensor not in self.builder.tensors:
            raise RowloomError(self.subject, "its input feeds no layer", "need an operator that computes")
        return replace(
            Arrangement.maps(*self.builder.tensors[tensor].shape), shape=shape[1:] if len(shape) > 1 else shape
        )


Handler = Callable[[Importer, Operator], None]
