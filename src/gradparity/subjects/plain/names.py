"""Whose gradient a name is: ``dz``, ``d_z``, ``grad_z``, ``gz``, ``z_grad``, ``dL_dz``, ``delta_z``, ``grads["W"]``.

A name is only taken for a gradient where what it would be the gradient of is there: ``data`` is none of ``ata``.
"""

import re
from collections.abc import Iterator, Mapping

PREFIXES = re.compile(
    r"^(?:d(?:L|loss|J|E|C|cost)_?(?:_?d_?|_by_d_?)|delta_|grad_|grad(?=[A-Z])|gradient_|nabla_|grads_|del_|d_|d|g)(?P<of>.+)$"
)
SUFFIXES = re.compile(r"^(?P<of>.+?)_?(?:_grad|_gradient|grad|_bar|_delta|_g)$")
SURE = re.compile(r"^(?:d(?:L|loss|J)_?d|d_|d[A-Z]|grad|nabla)|_(?:grad|gradient)$")
CONTAINERS = re.compile(
    r"^(?:(?:self|model|net)\.)?_?(?:d?grads?|gradients?|dparams?|d_params?|derivatives?|param_grads?|nabla|d)$"
)
PART = re.compile(r"""^(?P<root>[\w.]+)\[(?P<q>['"])(?P<key>\w+)(?P=q)\]$""")
ELEMENT = re.compile(r"^(?P<root>.+)\[(?P<index>-?\d+)\]$")


def owners(name: str, extra: Mapping[str, str]) -> Iterator[str]:
    """Yield what a name could be the gradient of, as it would be written, the likeliest first.

    ``extra`` is what the user has said: ``{"grad_logits": "logits"}``.
    """
    if name in extra:
        yield extra[name]
        return
    element = ELEMENT.match(name)
    if element:
        yield from (f"{of}[{element['index']}]" for of in owners(element["root"], extra))
        return
    part = PART.match(name)
    if part:
        if CONTAINERS.match(part["root"]):
            yield part["key"]
        yield from owners(part["key"], extra)
        return
    stem, dot, last = name.rpartition(".")
    for pattern in (PREFIXES, SUFFIXES):
        found = pattern.match(last)
        if found and found["of"] not in ("", "_"):
            yield f"{stem}{dot}{found['of']}"
            if dot:
                yield found["of"]
            if "_" not in found["of"] and found["of"][:1].isupper() and len(found["of"]) > 2:
                yield found["of"][0].lower() + found["of"][1:]
            shorter = re.match(r"^(?:L_?d_?|loss_?d_?|_)(?P<of>.+)$", found["of"])
            if shorter:
                yield shorter["of"]


def is_gradient_like(name: str) -> bool:
    """Whether a name may be a gradient's at all."""
    return next(owners(name, {}), None) is not None


def says_gradient(name: str) -> bool:
    """Whether a name is a gradient's, even if nothing is there that it could be the gradient of."""
    root = name.partition("[")[0].rpartition(".")[2]
    return bool(SURE.match(root) or CONTAINERS.match(name.partition("[")[0]))
