"""An exported program as plain records: calls of operators, and the numbers that it holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.errors import RowloomError
from rowloom.model.formats.onnx.axes import Misfit

Shape = tuple[int | None, ...]
"""None for a size that is left open."""


PLAIN = "need plain tensors: quantize with prepare_pt2e and convert_pt2e, so that activations are integers too"

_OPEN = ("SymInt", "SymFloat", "SymBool")


class Ref(str):
    """The name of a tensor."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of an operator such as ``aten.conv2d``: tensors are :class:`Ref`, a size that is left open is None."""

    name: str
    target: str
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    outputs: tuple[str, ...]

    def get(self, place: int, name: str, default: Any = None) -> Any:
        """Return an argument by its place or its name; the default if it is left out or None."""
        value = self.arguments[place] if place < len(self.arguments) else self.keywords.get(name)
        return default if value is None else value

    def needed(self, place: int, name: str) -> Any:
        """Return an argument; Misfit if it is left out."""
        value = self.get(place, name)
        if value is None:
            raise Misfit(f"has no argument {name}")
        return value

    def __str__(self) -> str:
        return f"node {self.name} ({self.target})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What an exported program holds, calls in an order of execution.

    Parameters
    ----------
    producer : str
    inputs : mapping of str to shape
        Of the user.
    outputs : tuple of str
    constants : mapping of str to array
        Parameters, buffers and other tensors, by the names that calls have for them.
    shapes : mapping of str to shape
        Of tensors that are computed, as far as the program tells.
    calls : tuple of Call
    """

    producer: str
    inputs: Mapping[str, Shape]
    outputs: tuple[str, ...]
    constants: Mapping[str, NDArray[Any]]
    shapes: Mapping[str, Shape]
    calls: tuple[Call, ...]


def read_program(subject: str, program: Any) -> Program:
    """Read a program that torch holds in memory.

    Raises
    ------
    RowloomError
        If it is none.
    """
    if not hasattr(program, "graph_signature") or not hasattr(program, "graph"):
        remedy = "need the ExportedProgram of torch.export.export, or a file of torch.export.save"
        raise RowloomError(subject, f"is a {type(program).__name__}", remedy)
    signature = program.graph_signature
    held = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    held |= getattr(signature, "inputs_to_lifted_tensor_constants", {})
    values = {**dict(program.named_parameters()), **dict(program.named_buffers()), **program.constants}
    constants: dict[str, NDArray[Any]] = {}
    inputs: dict[str, Shape] = {}
    shapes: dict[str, Shape] = {}
    calls: list[Call] = []
    for node in program.graph.nodes:
        size = getattr(node.meta.get("val"), "shape", None)
        if size is not None:
            shapes[node.name] = tuple(each if isinstance(each, int) else None for each in size)
        if node.op == "placeholder" and node.name in held:
            constants[node.name] = _numbers(subject, node.name, values.get(held[node.name]))
        elif node.op == "placeholder":
            inputs[node.name] = shapes.get(node.name, ())
        elif node.op == "call_function":
            calls.append(_call(node))
    return Program(
        producer="torch.export",
        inputs=inputs,
        outputs=tuple(str(each) for each in signature.user_outputs),
        constants=constants,
        shapes=shapes,
        calls=tuple(calls),
    )


def _call(node: Any) -> Call:
    target = getattr(node.target, "__name__", "") if not hasattr(node.target, "overloadpacket") else str(node.target)
    return Call(
        name=node.name,
        target=operator_name(target),
        arguments=tuple(_plain(each) for each in node.args),
        keywords={name: _plain(each) for name, each in node.kwargs.items()},
        outputs=(node.name,),
    )


def operator_name(target: str) -> str:
    """Return ``aten.relu`` of ``torch.ops.aten.relu.default``."""
    return target.removeprefix("torch.ops.").removesuffix(".default")


def _plain(value: Any) -> Any:
    if hasattr(value, "op") and hasattr(value, "meta"):
        # A size that is computed is a node too.
        return None if type(value.meta.get("val")).__name__ in _OPEN else Ref(value.name)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if type(value).__name__ in _OPEN else value


def _numbers(subject: str, name: str, tensor: Any) -> NDArray[Any]:
    """Return what a tensor holds."""
    if type(tensor).__name__ not in ("Parameter", "Tensor", "Buffer"):
        raise RowloomError(f"{subject}: {name}", f"is a {type(tensor).__name__}", PLAIN)
    tensor = tensor.detach().cpu()
    if str(tensor.dtype) == "torch.bfloat16":
        tensor = tensor.float()
    return np.asarray(tensor.numpy())
