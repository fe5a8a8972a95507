"""From calls of an exported program to the nodes of a graph of the kind that ONNX files hold."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.errors import RowloomError
from rowloom.model.formats.onnx.axes import Misfit
from rowloom.model.formats.onnx.reader import Graph, Node, Port
from rowloom.model.formats.torch_export.program import Call, Program, Ref

OPSET = 13
"""Whose meaning of nodes the graph has."""

_ADVICE = "quantize with prepare_pt2e and convert_pt2e, with scales of activations that do not depend on the input"


def graph_of(subject: str, program: Program) -> Graph:
    """Return the graph of a program.

    Raises
    ------
    RowloomError
        If it calls an operator that is not supported.
    """
    from rowloom.model.formats.torch_export.operators import CALLS, SKIPPED

    writer = Writer(program)
    for call in program.calls:
        if call.target in SKIPPED:
            continue
        write = CALLS.get(call.target)
        if write is None:
            floats = "choose_qparams" in call.target or call.target.startswith(("torchao.", "aten._weight_int"))
            problem = "quantizes by what the input happens to be" if floats else "operator is not supported"
            raise RowloomError(
                f"{subject}: {call}", problem, _ADVICE if floats else f"supported: {', '.join(sorted(CALLS))}"
            )
        try:
            write(writer, call)
        except Misfit as misfit:
            raise RowloomError(f"{subject}: {call}", str(misfit)) from None
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
            problem = f"has arguments that make no sense: {' '.join(str(error).split())}"
            raise RowloomError(f"{subject}: {call}", problem) from None
    return Graph(
        producer=program.producer,
        opset=OPSET,
        domains={"": OPSET},
        inputs=tuple(Port(name=name, type="FLOAT", shape=shape) for name, shape in program.inputs.items()),
        outputs=tuple(Port(name=name, type="FLOAT", shape=()) for name in program.outputs),
        constants=writer.constants,
        nodes=tuple(writer.nodes),
    )


class Writer:
    """The nodes and constants that calls have become."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.constants: dict[str, NDArray[Any]] = dict(program.constants)
        self.nodes: list[Node] = []

    def add(
        self, call: Call, kind: str, *inputs: str, domain: str = "", output: str | None = None, **attributes: Any
    ) -> str:
        """Append a node, whose output is the call's first if it says nothing else; return the output's name."""
        output = call.outputs[0] if output is None else output
        self.nodes.append(
            Node(
                position=len(self.nodes),
                name=call.name,
                kind=kind,
                domain=domain,
                inputs=inputs,
                outputs=(output,),
                attributes=attributes,
            )
        )
        return output

    def constant(self, call: Call, what: str, values: Any, dtype: Any) -> str:
        """Add a constant and return its name."""
        name = f"{call.name}.{what}"
        self.constants[name] = np.asarray(values, dtype)
        return name

    def tensor(self, call: Call, place: int, name: str) -> Ref:
        """Return an argument that is a tensor."""
        value = call.needed(place, name)
        if not isinstance(value, Ref):
            raise Misfit(f"has {value!r} for {name}, where a tensor is needed")
        return value

    def operand(self, call: Call, place: int, name: str) -> str:
        """Return an argument that is a tensor or a number, which becomes a constant."""
        value = call.needed(place, name)
        return value if isinstance(value, Ref) else self.constant(call, name, float(value), np.float32)

    def number(self, call: Call, place: int, name: str) -> float:
        """Return an argument that is a number, or a constant of one element."""
        value = call.needed(place, name)
        if isinstance(value, Ref):
            if value not in self.constants or self.constants[value].size != 1:
                raise Misfit(f"has a {name} that is computed, where a constant is needed")
            return float(self.constants[value].reshape(-1)[0])
        return float(value)

    def shape(self, name: str) -> tuple[int | None, ...]:
        """Return the shape of a tensor."""
        if name in self.constants:
            return self.constants[name].shape
        if name not in self.program.shapes:
            raise Misfit(f"takes {name}, whose shape is not known")
        return self.program.shapes[name]

    def rank(self, name: str) -> int:
        """Return how many axes a tensor has."""
        return len(self.shape(name))
