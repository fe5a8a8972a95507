"""Operators that exporters have taken apart, put together again."""

from dataclasses import replace

from rowloom.model.formats.onnx.reader import Graph, Node

_ORDERS = {(0, 1, 4, 2, 5, 3): ("CRD", 2), (0, 3, 4, 1, 5, 2): ("DCR", 1)}
"""Of axes in a DepthToSpace of six axes: its mode, and where the block stands."""


_MOVES = ("Identity", "Reshape", "Transpose")


def joined(graph: Graph) -> Graph:
    """Return the graph with DepthToSpace for every Reshape, Transpose and Reshape that are one."""
    makers = {name: node for node in graph.nodes for name in node.outputs}
    nodes = [_depth_to_space(graph, makers, node) or node for node in graph.nodes]
    if nodes == list(graph.nodes):
        return graph
    while True:
        # What the chains were made of, unless others read it too.
        read = {name for node in nodes for name in node.inputs} | {port.name for port in graph.outputs}
        kept = [node for node in nodes if node.kind not in _MOVES or not read.isdisjoint(node.outputs)]
        if len(kept) == len(nodes):
            return replace(graph, nodes=tuple(nodes))
        nodes = kept


def _depth_to_space(graph: Graph, makers: dict[str, Node], last: Node) -> Node | None:
    """Return what a Reshape becomes, if it ends such a chain; the nodes before it are left to those who read them."""
    turned = _before(makers, last)
    apart = None if turned is None or turned.kind != "Transpose" else _before(makers, turned)
    if last.kind != "Reshape" or turned is None or apart is None or apart.kind != "Reshape" or last.domain:
        return None
    order = turned.attributes.get("perm", [])
    split, whole = _shape(graph, apart), _shape(graph, last)
    if tuple(order) not in _ORDERS or len(split) != 6 or len(whole) != 4:
        return None
    mode, place = _ORDERS[tuple(order)]
    block, height, width = split[place], split[4], split[5]
    channels = split[1] if mode == "CRD" else split[3]
    sizes = (channels, height * block, width * block)
    if block < 2 or split[place + 1] != block or min(split[1:]) < 1 or tuple(whole[1:]) != sizes:
        return None
    return replace(last, kind="DepthToSpace", inputs=(apart.inputs[0],), attributes={"blocksize": block, "mode": mode})


def _before(makers: dict[str, Node], node: Node) -> Node | None:
    """Return what computes the first input of a node, but for identities."""
    maker = makers.get(node.inputs[0]) if node.inputs else None
    while maker is not None and maker.kind == "Identity" and maker.inputs:
        maker = makers.get(maker.inputs[0])
    return maker


def _shape(graph: Graph, node: Node) -> list[int]:
    """Return the shape that a Reshape makes, if it is a constant; else an empty list."""
    if len(node.inputs) < 2 or node.inputs[1] not in graph.constants:
        return []
    return [int(size) for size in graph.constants[node.inputs[1]].reshape(-1)]
