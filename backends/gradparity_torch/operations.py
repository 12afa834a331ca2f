"""What PyTorch does for each line: the nodes of the graph that autograd records.

PyTorch keeps no program of the forward pass. For the backward pass it records a node for each operation, a value's
``grad_fn``: the node receives the value's gradient, and hands gradients on to the nodes of what the operation read,
its next functions. A parameter's node is AccumulateGrad.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor
from torch.autograd.graph import Node, get_gradient_edge

from gradparity.protocol import Array, Batch, Key, Operation, Operations, Params, Tap
from gradparity.recording import name_of

Edge: TypeAlias = tuple[Node, int]
"""A node, and which result of its operation: an operation with several results has one node for all."""
Owners: TypeAlias = Mapping[Edge, str]
"""Whose gradient an edge carries."""


def operations(loss: Callable[[Params, Batch, Tap], Tensor], params: Params, batch: Batch) -> dict[str, Operations]:
    """Return the nodes of every parameter and of every name that the forward pass taps.

    A node that computes several gradients at once stands at each of them. A value that is another one under a second
    name shares its node; one that no parameter goes into has none.
    """
    leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
    edges = {name: _edge(leaf) for name, leaf in leaves.items()}
    owners = {edge: name for name, edge in edges.items() if edge is not None}
    reads: dict[str, tuple[str, ...]] = dict.fromkeys(params, ())
    computing: dict[str, set[Node]] = {name: set() for name in params}

    def tap(key: Key, value: Array) -> Array:
        name = name_of(key)
        edge = edges[name] = _edge(value)
        reached = {} if edge is None else _reached(edge, owners)
        read = (owners[edge],) if edge in owners else _joined(reached.values())
        reads[name] = _joined([reads.get(name, ()), read])
        computing.setdefault(name, set())
        for node, lines in reached.items():
            for line in lines:
                computing[line].add(node)
        if edge is not None:
            owners[edge] = name
        return value

    with torch.enable_grad():
        loss(leaves, batch, tap)
    program = sorted({node for nodes in computing.values() for node in nodes}, key=_order)
    return {
        name: Operations(
            backward=tuple(
                Operation(position, _name(node)) for position, node in enumerate(program) if node in computing[name]
            ),
            receiver="" if (edge := edges[name]) is None else _name(edge[0]),
            passes_to=() if edge is None else tuple(_label(following, owners) for following in _next(edge[0])),
            reads=reads[name],
        )
        for name in edges
    }


def _edge(value: Tensor) -> Edge | None:
    if not value.requires_grad:
        return None
    edge = get_gradient_edge(value)
    return edge.node, edge.output_nr


def _next(node: Node) -> list[Edge]:
    return [(following, number) for following, number in node.next_functions if following is not None]


def _reached(edge: Edge, owners: Owners) -> dict[Node, tuple[str, ...]]:
    """Return the nodes from an edge down to edges that are owned, and the owners that each of them leads to."""
    nodes: set[Node] = set()
    waiting = [edge]
    while waiting:
        at = waiting.pop()
        if at not in owners and at[0] not in nodes:
            nodes.add(at[0])
            waiting += _next(at[0])
    reached: dict[Node, tuple[str, ...]] = {}
    # A node's next functions were recorded before it.
    for node in sorted(nodes, key=_order, reverse=True):
        reached[node] = _joined((owners[at],) if at in owners else reached[at[0]] for at in _next(node))
    return dict(reversed(reached.items()))


def _joined(names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for some in names for name in some))


def _order(node: Node) -> int:
    """The backward pass runs what was recorded last first."""
    return -int(node._sequence_nr())


def _name(node: Node) -> str:
    return node.name().rpartition("::")[2]


def _label(edge: Edge, owners: Owners) -> str:
    return f"{_name(edge[0])} ({owners[edge]})" if edge in owners else _name(edge[0])
