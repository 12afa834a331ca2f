"""Whose gradient a name is: ``dz``, ``d_z``, ``grad_z``, ``gz``, ``z_grad``, ``dL_dz``, ``delta_z``, ``grads["W"]``.

A name is only taken for a gradient where what it would be the gradient of is there: ``data`` is none of ``ata``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

PREFIXES = re.compile(
    r"^(?:d(?:L|loss|J|E|C|cost)_?(?:_?d_?|_by_d_?)|delta_|grad_|grad(?=[A-Z])|gradient_|nabla_|grads_|del_|[dD]_|d|g)(?P<of>.+)$"
)
SUFFIXES = re.compile(r"^(?P<of>.+?)_?(?:_grad|_gradient|grad|_bar|_delta|_g)$")
SURE = re.compile(r"^(?:d(?:L|loss|J)_?d|[dD]_|d[A-Z]|grad|nabla)|_(?:grad|gradient)$")
CONTAINERS = re.compile(
    r"^(?:(?:self|model|net)\.)?_?(?:d?grads?|gradients?|dparams?|d_params?|derivatives?|param_grads?|nabla|d)$"
)
LOCAL = re.compile(r"^d_?(?!L_|loss_|J_|E_|C_|cost_)[A-Za-z0-9]\w*_d_\w+$")
"""A local derivative, d_out_d_t, is no gradient of the loss."""
DELTA = re.compile(r"(?i)^delta_|_delta$")
GENERIC = re.compile(r"^(?:g|grad|gradient|gd|dtheta|d_?params?)$")
"""A gradient whose name does not say of what."""
LOSSES = frozenset({"loss", "Loss", "L", "J", "cost", "Cost", "E"})
LOSS = re.compile(
    r"(?i)(?:^|_)(?:loss|cost|objective|nll|mse|bce|cross_?entropy|verlust|kosten|perte|co[uû]t|p[eé]rdida|costo|perdita"
    r"|perda|custo|strata|потери|损失|損失|誤差|손실)(?:_?(?:value|val|sum|total|gesamt))?$"
)
LOSS_LIST = re.compile(r"(?i)^(?:\w+_)?(?:loss(?:es)?|costs?|j)(?:_?(?:history|hist|list|log))?\[-?\d+\]$")
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
DERIVATIVE = re.compile(r"(?i)^d_?[a-z]|deriv|prime|grad(?:ient)?$|^grad")
SHORT = {"w": "weight", "b": "bias"}
TARGETS = re.compile(r"(?i)^(?:[yt](?:_?(?:true|train|batch|b))?|targets?|labels?)$")
"""What examples are compared with: nobody trains it."""
UPDATE = re.compile(r"^(?:[dg]_?\w{1,2}|[dg][A-Za-z]+\d+)$")
PART = re.compile(r"""^(?P<root>[\w.]+)\[(?P<q>['"])(?P<key>\w+)(?P=q)\]$""")
STEP = re.compile(r"""\.(?P<attribute>\w+)|\[(?P<index>-?\d+|'\w+'|"\w+")\]""")
ELEMENT = re.compile(r"^(?P<root>.+)\[(?P<index>-?\d+)\]$")


def owners(name: str, extra: Mapping[str, str]) -> Iterator[str]:
    """Yield what a name could be the gradient of, as it would be written, the likeliest first.

    ``extra`` is what the user has said: ``{"grad_logits": "logits"}``.
    """
    if name in extra:
        yield extra[name]
        return
    if LOCAL.match(name.rpartition(".")[2]):
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


def steps_of(name: str) -> tuple[str, ...]:
    """Return how a name leads to something, an attribute and a key alike: self.p['W'] as self, p, W."""
    first = re.match(r"\w*", name)
    steps = (step["attribute"] or step["index"].strip("'\"") for step in STEP.finditer(name))
    return (first[0] if first else "", *steps)


def in_common(a: Sequence[str], b: Sequence[str]) -> int:
    """Return how many last steps two names share, a container of their own left to each."""
    most = min(len(a), len(b)) - 1
    return next((n for n in range(most) if a[-1 - n] != b[-1 - n]), most)


def is_gradient_like(name: str) -> bool:
    """Whether a name may be a gradient's at all."""
    return next(owners(name, {}), None) is not None


def says_gradient(name: str) -> bool:
    """Whether a name is a gradient's, even if nothing is there that it could be the gradient of."""
    root = name.partition("[")[0].rpartition(".")[2]
    return bool(SURE.match(root) or CONTAINERS.match(name.partition("[")[0]))


def is_delta(name: str) -> bool:
    """Whether a name may mean the gradient of what an activation is applied to."""
    return bool(DELTA.search(name.rpartition(".")[2]))


def is_generic(name: str) -> bool:
    """Whether a name says that it is a gradient, and nothing else."""
    return bool(GENERIC.match(name))


def is_target(name: str) -> bool:
    """Whether a name is that of labels, or of what a prediction is compared with."""
    return bool(TARGETS.match(name.rpartition(".")[2]))


def is_derivative(function: str) -> bool:
    """Whether a function is called as the derivative of another one: dsigmoid, relu_deriv, sigmoid_prime."""
    return bool(DERIVATIVE.search(function.rpartition(".")[2]))


def is_loss(name: str) -> bool:
    """Whether a name may be the loss's: loss, cost, total_loss, or the end of a list of losses."""
    last = name.rpartition(".")[2]
    return last in LOSSES or bool(LOSS.search(last) or LOSS_LIST.match(last))


def abbreviates(short: str, long: str) -> bool:
    """Whether one name is the other in fewer or shorter words: CenterVecs of centerWordVectors, w of weights."""
    words = [word.lower() for word in WORDS.findall(long.rpartition(".")[2])]
    wanted = [word.lower().removesuffix("s") for word in WORDS.findall(short.rpartition(".")[2])]
    if len(wanted) == 1 and wanted[0] in SHORT:
        return len(words) == 1 and words[0].startswith(SHORT[wanted[0]])
    left = iter(words)
    return bool(wanted) and all(len(each) > 2 and any(w.startswith(each) for w in left) for each in wanted)


def may_update(name: str) -> bool:
    """Whether what is subtracted from a parameter under this name, times a rate, is taken for its gradient."""
    return is_generic(name) or says_gradient(name) or bool(UPDATE.match(name.rpartition(".")[2]))
