"""Lowering a graph of modules."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor as TorchTensor
from torch import fx, nn

from rowloom.model.errors import RowloomError
from rowloom.model.lowering.builder import Builder, Call
from rowloom.model.lowering.modules import LOWER, NOTHING, SEVERAL_INPUTS
from rowloom.model.network import Network, Tensor
from rowloom.model.nn import Input, Linear


def lower(
    module: nn.Module,
    example_input: TorchTensor | ArrayLike,
    *,
    name: str = "network",
    about: Mapping[str, str | float] | None = None,
) -> Network:
    """Return the integer network that computes what ``module.eval()`` computes, bit for bit.

    Parameters
    ----------
    module : torch.nn.Module
        Any module whose ``forward`` passes tensors between layers of :mod:`rowloom.model.nn` and those of torch that
        only move values: a Sequential, or blocks with branches. The input goes to one ``Input``; one output, or a
        tuple, list or dict of them, which become the network's outputs in that order.
    example_input : array [N, C, H, W]
        Any batch of the right shape; only its shape is used.
    name : str
        What reports call the network.
    about : mapping
        Stored in the network.

    Raises
    ------
    RowloomError
        If a layer is not supported, by its position and class; or if a layer's sums may not be exact in float32.
    """
    shape = tuple(example_input.shape) if isinstance(example_input, TorchTensor) else np.shape(example_input)
    if len(shape) != 4:
        raise RowloomError("example input", f"shape is {tuple(shape)}", "must be (N, C, H, W)")
    with _evaluation(module), torch.no_grad():
        graph, root = _trace(module, name)
        walk = _Walk(name, dict(root.named_modules()), (shape[2], shape[3], shape[1]))
        for node in graph.nodes:
            walk.visit(node)
    return Network(
        name=name,
        tensors=tuple(walk.builder.tensors.values()),
        layers=tuple(walk.builder.layers),
        input="input",
        outputs=tuple(walk.outputs),
        about=dict(about or {}),
    )


@contextmanager
def _evaluation(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation, and each of its parts back into its mode afterwards."""
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for each, training in modes:
            each.training = training


class _Tracer(fx.Tracer):
    """Records calls of modules that have no layers inside; looks into all others."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether a module is a layer of ours or one of torch's own."""
        ours = type(m).__module__.startswith("rowloom.model.nn")
        return ours or isinstance(m, tuple(LOWER)) or super().is_leaf_module(m, module_qualified_name)


def _trace(module: nn.Module, name: str) -> tuple[fx.Graph, nn.Module]:
    """Return the graph of a module, and what its positions count from."""
    tracer = _Tracer()
    root = nn.Sequential(module) if tracer.is_leaf_module(module, "") else module
    try:
        return tracer.trace(root), root
    except RowloomError:
        raise
    except Exception as error:
        raise RowloomError(
            name, f"its forward cannot be traced ({error})", "must only pass tensors between layers"
        ) from error


class _Walk:
    """Lowers the nodes of a graph in their order."""

    def __init__(self, name: str, modules: Mapping[str, nn.Module], shape: tuple[int, int, int]) -> None:
        self.builder = Builder()
        self.outputs: list[str] = []
        self._name = name
        self._modules = modules
        self._shape = shape
        self._tensors: dict[fx.Node, str] = {}
        self._flat: set[fx.Node] = set()
        """Nodes that torch holds as rows [N, C * H * W], channel by channel."""

    def visit(self, node: fx.Node) -> None:
        """Lower one node."""
        if node.op == "placeholder":
            self._check_input(node)
        elif node.op == "output":
            self._finish(node)
        elif node.op == "call_module":
            self._call(node)
        elif _flattens(node):
            self._alias(node, node.all_input_nodes[0], flat=True)
        else:
            raise RowloomError(
                self._place(node),
                f"{_target(node)} cannot be lowered",
                "must be a module, such as rowloom.model.nn.Add or Concat",
            )

    def _check_input(self, node: fx.Node) -> None:
        """Check that the first layer is an Input, the only reader of the network's input."""
        if self._tensors or node.prev.op == "placeholder":
            raise RowloomError(self._name, "its forward must take one tensor")
        readers = list(node.users)
        first = next((each for each in readers if each.op == "call_module"), None)
        if first is None:
            raise RowloomError(self._name, "its first layer must be rowloom.model.nn.Input, but there is none")
        for reader in readers:
            module = self._modules.get(str(reader.target)) if reader.op == "call_module" else None
            if not isinstance(module, Input) or len(readers) > 1:
                found = type(module).__name__ if module is not None else _target(reader)
                found = f"{len(readers)} layers" if len(readers) > 1 else found
                raise RowloomError(self._name, f"its first layer must be rowloom.model.nn.Input, not {found}")

    def _call(self, node: fx.Node) -> None:
        position, module = str(node.target), self._modules[str(node.target)]
        if isinstance(module, Input):
            if node.all_input_nodes[0].op != "placeholder":
                raise RowloomError(f"layer {position}", "Input stands behind other layers", "must be the first")
            self._tensors[node] = "input"
            self.builder.tensors["input"] = Tensor(
                name="input", shape=self._shape, encoding=module.encoding, scale=float(module.scale)
            )
            return
        if isinstance(module, NOTHING):
            self._alias(node, node.all_input_nodes[0])
            return
        if isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) == (1, -1):
            self._alias(node, node.all_input_nodes[0], flat=True)
            return
        lower_module = LOWER.get(type(module))
        if lower_module is None:
            known = ", ".join(sorted(cls.__name__ for cls in LOWER))
            raise RowloomError(
                f"layer {position}", f"{type(module).__name__} cannot be lowered", f"must be one of {known}"
            )
        inputs = [each for each in node.args if isinstance(each, fx.Node)]
        if (
            node.kwargs
            or len(inputs) != len(node.args)
            or (len(inputs) != 1 and not isinstance(module, SEVERAL_INPUTS))
        ):
            raise RowloomError(f"layer {position}", f"{type(module).__name__} must be called with tensors by position")
        if not isinstance(module, Linear):
            self._refuse_flat(f"layer {position}", type(module).__name__, inputs)
        call = Call(position, tuple(self._tensors[each] for each in inputs))
        self._tensors[node] = lower_module(self.builder, call, module)

    def _alias(self, node: fx.Node, source: fx.Node, *, flat: bool = False) -> None:
        """Let a node stand for the tensor of another one."""
        self._tensors[node] = self._tensors[source]
        if flat or source in self._flat:
            self._flat.add(node)

    def _refuse_flat(self, subject: str, what: str, nodes: list[fx.Node]) -> None:
        for node in nodes:
            shape = self.builder.tensors[self._tensors[node]].shape
            if node in self._flat and shape[:2] != (1, 1):
                raise RowloomError(subject, f"{what} takes a flattened map of {shape}", "only Linear may")

    def _finish(self, node: fx.Node) -> None:
        result: Any = node.args[0]
        values = list(result.values()) if isinstance(result, dict) else result
        nodes = list(values) if isinstance(values, tuple | list) else [values]
        if not nodes or not all(isinstance(each, fx.Node) and each in self._tensors for each in nodes):
            raise RowloomError(self._name, "must return tensors that layers put out")
        self._refuse_flat(self._name, "its output", nodes)
        self.outputs = [self._tensors[each] for each in nodes]

    def _place(self, node: fx.Node) -> str:
        """Return the position of the module in whose forward a node stands, or the network's name."""
        stack = list(node.meta.get("nn_module_stack") or ())
        return f"layer {stack[-1]}" if stack else self._name


def _flattens(node: fx.Node) -> bool:
    """Return whether a node is a call of flatten(1)."""
    if node.target not in ("flatten", torch.flatten) or node.op not in ("call_method", "call_function"):
        return False
    return tuple(node.args[1:]) in ((1,), (1, -1)) and not node.kwargs


def _target(node: fx.Node) -> str:
    """Return what a node calls, as one would write it."""
    return str(getattr(node.target, "__name__", node.target))
