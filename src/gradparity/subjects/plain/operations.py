"""What JAX and PyTorch themselves do for each line of plain code: the same lines, run on their arrays."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

from gradparity import registry
from gradparity.protocol import Backend, Operation, Operations
from gradparity.runtime import TellsOperations
from gradparity.subjects.plain.machine import DUMMY, as_model, params_of
from gradparity.subjects.plain.posing import Checked
from gradparity.subjects.plain.recorder import Key
from gradparity.subjects.plain.variables import Variable

Place: TypeAlias = tuple[str, int]
"""File and line."""
FOLDED = 3
"""Operations of a line that are all shown; of more, the first and the last."""


def operations_of(checked: Checked, recognised: Mapping[Key, Variable], every: bool) -> dict[Place, tuple[str, ...]]:
    """Return the machines' operations by line, a sentence each; nothing where no machine runs the code.

    ``every`` shows all of them, and not a few of many.
    """
    places = {w.key: (w.site.file, w.site.line) for w in checked.recording.events}
    gradients = [(places[one.writing.key], one.of) for one in checked.fed.judged]
    gradients += [(places[key], of) for key, of in recognised.items()]
    called = _called(checked, {of.number for _, of in gradients})
    found: dict[Place, list[str]] = {}
    for name in registry.DEFAULT:
        backend = registry.availability(name).backend
        told = {} if backend is None or backend.differentiation != "machine" else _asked(backend, checked, called)
        for variable in checked.recording.variables:
            does = told.get(called.get(variable.number, ""))
            if does is not None and does.forward and not variable.given:
                found.setdefault(variable.place, []).append(f"{name}: {_shown(does.forward, every)}")
        for place, of in gradients:
            does = told.get(called[of.number])
            if does is not None and (does.backward or does.receiver):
                found.setdefault(place, []).append(f"{name}: {_backward(does, every)}")
    return {place: tuple(dict.fromkeys(sentences)) for place, sentences in found.items()}


def _called(checked: Checked, wanted: Collection[int]) -> dict[int, str]:
    """Call each variable as its author does, and by its line where another one has that name before it.

    An expression without a name, and one use of a value, count only where a gradient is of them.
    """
    sites, called = checked.recording.source.sites, dict[int, str]()
    for v in checked.recording.variables:
        own = v.original is None and (v.given or sites[v.where[0]].how != "part")
        if own or v.number in wanted:
            in_line = f"{v.name} in {checked.program.line(*v.place)}"
            free = [name for name in (v.name, in_line, f"{in_line} ({v.number})") if name not in called.values()]
            called[v.number] = free[1] if free[0] == "loss" else free[0]  # "loss" is what all end in
    return called


def _asked(backend: Backend, checked: Checked, called: Mapping[int, str]) -> Mapping[str, Operations]:
    loss = checked.truths.loss
    model = as_model(loss, called)
    try:
        own = backend.model(model, "float64")
        return own.operations(params_of(loss, called), DUMMY) if isinstance(own, TellsOperations) else {}
    except Exception:  # the code does not run on its arrays
        return {}


def _backward(does: Operations, every: bool) -> str:
    if not does.receiver:
        return _shown(does.backward, every)
    nodes = ", ".join(operation.text for operation in does.backward)
    return f"{nodes} → {does.receiver} receives it" if nodes else f"{does.receiver} receives it"


def _shown(operations: Sequence[Operation], every: bool) -> str:
    texts = [operation.text for operation in operations]
    if not every and len(texts) > FOLDED:
        texts = [texts[0], f"… {len(texts) - 2} more …", texts[-1]]
    return "; ".join(texts)
