"""From the records of a TFLite file to a network: what the reference kernels compute, bit for bit."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rowloom.model.arith import round_half_away
from rowloom.model.encodings import Uniform
from rowloom.model.errors import RowloomError
from rowloom.model.formats.builder import Builder, Imported
from rowloom.model.formats.floats import float_thresholds
from rowloom.model.formats.tflite.constants import FOLDABLE, fold
from rowloom.model.formats.tflite.dilations import dilated
from rowloom.model.formats.tflite.moves import in_the_maps_order, moved
from rowloom.model.formats.tflite.reader import File, FileTensor, Operator
from rowloom.model.formats.tflite.values import NO_PADDING, Value, arrangement, map_shape, padded_shape, turned
from rowloom.model.layers import Shape
from rowloom.model.views import InputView, OutputView

_ENCODINGS = {"INT8": (8, True), "UINT8": (8, False), "INT4": (4, True)}

INPUT = "input"


class Importer:
    """Walks the operators of a file in their order, which is one of execution."""

    def __init__(self, subject: str, name: str, file: File) -> None:
        self.subject = subject
        self.file = file
        self.builder = Builder(name=name)
        self.values: dict[int, Value] = {}
        self.constants: dict[int, NDArray[np.int64]] = {}
        self.counts: dict[str, int] = {}
        self.writers: dict[int, Operator] = {}
        self.thresholds: NDArray[np.float32] | None = None
        self.input_index = -1
        self.input_shape: Shape | None = None
        self.input_places: NDArray[np.int64] | None = None

    def fail(self, operator: Operator, problem: str, remedy: str | None = None) -> RowloomError:
        """Return the error that names the file and the operator."""
        return RowloomError(f"{self.subject}: {operator}", problem, remedy)

    def run(self) -> Imported:
        """Import the whole file."""
        # Operators import the functions that turn them into layers, which import this class.
        from rowloom.model.formats.tflite.operators import OPERATORS

        self._begin()
        known = {**dict.fromkeys(FOLDABLE, Importer.fold), **OPERATORS}
        operators, joined = dilated(self.file)
        for parts, operator in joined:
            self.builder.note(map(str, parts), None, f"dilation of {operator}")
        for operator in operators:
            if operator.kind not in known:
                raise self.fail(operator, "is not supported", f"supported: {', '.join(sorted(known))}")
            if not operator.inputs or not operator.outputs:
                raise self.fail(operator, "has no input or no output", "need at least one of each")
            try:
                (Importer.fold if self._is_of_sizes(operator) else known[operator.kind])(self, operator)
            except RowloomError as error:
                if error.subject.startswith(self.subject):
                    raise
                raise self.fail(operator, str(error)) from None
        views = self._outputs()
        return self.builder.finish(
            source=INPUT,
            input_view=self._input(),
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

    def computed(self, index: int, operator: Operator) -> Value:
        """Return the value of a tensor that is computed, whatever its shape."""
        tensor = self.tensor(index, operator, "input")
        value = self.values.get(index)
        if value is None:
            what = "is a constant" if tensor.data is not None else "is not computed before"
            raise self.fail(operator, f"its input {tensor.name} {what}", "need one that is computed")
        if value.softmax is not None or value.real:
            raise self.fail(operator, "comes after SOFTMAX or DEQUANTIZE", "need those at the end")
        return value

    def elements(self, index: int, operator: Operator) -> Value:
        """Return the value of a tensor of which single elements are taken, with its padding put there."""
        value = self._agreed(index, operator)
        return self.filled(value, operator) if any(value.padding) else value

    def pixels(self, index: int, operator: Operator) -> Value:
        """Return the value of a tensor of which the last axis is taken: elements that lie in the map's order."""
        value = self.elements(index, operator)
        if value.places is not None:
            value = self._replaced(value, in_the_maps_order(self, operator, value))
        if value.places is not None:
            name = self.file.tensors[index].name
            raise self.fail(operator, f"takes {name}, which is rearranged", "need the axes of a map in their order")
        return value

    def value(self, index: int, operator: Operator, *, padded: bool = False) -> Value:
        """Return the value of a tensor that is taken as a map; with its padding put there, unless ``padded``."""
        value = self._agreed(index, operator)
        if any(value.padding) and not padded:
            value = self.filled(value, operator)
        shape = map_shape(value.shape)
        if shape is None:
            name = self.file.tensors[index].name
            raise self.fail(operator, f"its input {name} is {value.shape}", "need up to 4 axes and a batch of 1")
        if value.places is not None:
            value = self._replaced(value, in_the_maps_order(self, operator, value))
        stored = padded_shape(self.shape(value), value.padding)
        if value.places is not None or (turned(shape, stored) is None and math.prod(shape) != shape[2]):
            raise self.fail(
                operator,
                f"takes {self.file.tensors[index].name} as {shape}, but it was computed as {stored}",
                "data cannot be rearranged between layers",
            )
        return value

    def _agreed(self, index: int, operator: Operator) -> Value:
        """Return the value of a tensor whose codes mean what the file says of it."""
        value = self.placed(self.computed(index, operator), operator)
        tensor = self.file.tensors[index]
        encoding, _ = self.encoding(tensor, operator)
        if encoding != self.builder.tensors[value.tensor].encoding:
            raise self.fail(
                operator, f"takes {tensor.name} as {encoding}", f"need {self.builder.tensors[value.tensor].encoding}"
            )
        return value

    def shape(self, value: Value) -> Shape:
        """Return the shape of a value's map, without its padding."""
        return self.builder.tensors[value.tensor].shape

    def is_turned(self, value: Value) -> bool:
        """Return whether the file's height is the map's width."""
        stored = padded_shape(self.shape(value), value.padding)
        return turned(map_shape(value.shape) or stored, stored) or False

    def filled(self, value: Value, operator: Operator) -> Value:
        """Return the value with its padding put there by a layer of its own."""
        top, bottom, left, right = value.padding
        tensor = moved(self, operator, value.tensor, rows=(top, bottom), columns=(left, right), fill=value.fill)
        return self._replaced(value, replace(value, tensor=tensor, padding=NO_PADDING, fill=0))

    def _replaced(self, old: Value, new: Value) -> Value:
        """Return the new value, which from now on stands for the old one."""
        for index, value in self.values.items():
            if value is old:
                self.values[index] = new
        return new

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
        self.place(operator, operator.outputs[0], value)
        self.builder.note([str(operator)], layer, text)

    def place(self, operator: Operator, index: int, value: Value) -> None:
        """Say what one of an operator's outputs is."""
        tensor = self.tensor(index, operator, "output")
        said = tensor.shape
        open_ = len(said) == len(tensor.open) == len(value.shape) and any(tensor.open)
        if open_:
            said = tuple(got if free else size for size, free, got in zip(said, tensor.open, value.shape, strict=True))
        if said and math.prod(said) != math.prod(value.shape):
            raise self.fail(operator, f"gives {value.shape}, but the file says {tensor.shape}", "shapes must agree")
        if index in self.values:
            raise self.fail(operator, f"writes {self.file.tensors[index].name} again", "need one writer a tensor")
        self.values[index] = value
        self.writers[index] = operator

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
        if map_shape(tensor.shape) is None:
            raise RowloomError(
                f"{self.subject}: input {tensor.name}", f"is {tensor.shape}", "need up to 4 axes and a batch of 1"
            )
        self.values[self.input_index] = Value(tensor=INPUT, shape=tensor.shape)

    @property
    def _file_shape(self) -> tuple[int, ...]:
        return self.file.tensors[self.file.inputs[0]].shape

    @property
    def input_is_open(self) -> bool:
        """Whether no layer has yet said in which order the network's input lies."""
        return INPUT not in self.builder.tensors

    def placed(self, value: Value, operator: Operator) -> Value:
        """Return the value; if it is the network's input, that gets its shape on first use."""
        if value.tensor == INPUT and self.input_is_open:
            tensor = self.file.tensors[self.input_index]
            shape = self.input_shape or map_shape(value.shape) or map_shape(self._file_shape)
            assert shape is not None
            self.builder.place(INPUT, shape, *self.encoding(tensor, operator))
        return value

    def quantize_input(self, operator: Operator) -> None:
        """Let the operator, a QUANTIZE of floats, be the host's: its output is the network's input."""
        value = self.computed(operator.inputs[0], operator)
        if value.tensor != INPUT or not self.input_is_open or self.thresholds is not None:
            raise self.fail(operator, "quantizes floats between layers", "need integers there")
        encoding, scale = self.encoding(self.output(operator), operator)

        def codes(x: NDArray[np.float32]) -> NDArray[np.int64]:
            with np.errstate(over="ignore"):
                quotient = np.clip(x / np.float32(scale), -1e9, 1e9)
            return np.clip(
                round_half_away(quotient).astype(np.int64) + encoding.zero_point, encoding.code_min, encoding.code_max
            )

        self.thresholds = float_thresholds(self.subject, codes, encoding, 1)
        self.input_index = operator.outputs[0]
        self.set(operator, value, "on the host: floats to codes")

    def fold(self, operator: Operator) -> None:
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

    def _is_of_sizes(self, operator: Operator) -> bool:
        """Whether an operator computes sizes, of sizes that were computed and constants."""
        return any(index in self.constants for index in operator.inputs) and not any(
            index in self.values for index in operator.inputs
        )

    def _outputs(self) -> list[OutputView]:
        views = [self._output(index) for index in self.file.outputs]
        names = [view.name for view in views]
        return [
            view if names.count(view.name) == 1 else replace(view, name=f"{view.name}:{place}")
            for place, view in enumerate(views)
        ]

    def _output(self, index: int) -> OutputView:
        tensor = self.file.tensors[index]
        value = self.values.get(index)
        where = f"{self.subject}: output {tensor.name}"
        if value is None:
            raise RowloomError(where, "is computed by no operator")
        if index not in self.writers or value.tensor not in self.builder.tensors:
            raise RowloomError(where, "comes from no layer", "need an operator that computes")
        operator = self.writers[index]
        if any(value.padding):
            value = self.filled(value, operator)
        shown = arrangement(value.shape, value.places, self.shape(value))
        if shown is None:
            value = in_the_maps_order(self, operator, value)
            shown = arrangement(value.shape, value.places, self.shape(value))
        if shown is None:
            raise RowloomError(where, "is rearranged", "need the axes of a map in some order")
        scale = value.scale
        if scale is None:
            scale = 1.0 if tensor.quantization is None else float(tensor.quantization.scales[0])
        return OutputView(
            name=tensor.name,
            tensor=value.tensor,
            arrangement=shown,
            scale=np.array([1 / 256 if value.softmax else scale]),
            offset=np.array([-value.softmax.zero_point / 256 if value.softmax else 0.0]),
            softmax=value.softmax,
            steps=value.steps,
        )

    def _input(self) -> InputView:
        shown = None
        if not self.input_is_open:
            shown = arrangement(self._file_shape, self.input_places, self.builder.tensors[INPUT].shape)
        if shown is None:
            raise RowloomError(self.subject, "its input feeds no layer", "need an operator that computes")
        return InputView(arrangement=shown, thresholds=self.thresholds)


Handler = Callable[[Importer, Operator], None]
