"""Backends of a third party, each broken in its own way: name -> what it does, as an installed distribution.

Each is NumPy's, but for one thing. ``install`` writes them, and what registers them, into a folder.
"""

from pathlib import Path

from tests.plugins import register

MODULE = """
import time
from dataclasses import replace
import numpy as np
from gradparity_manual import backend as right
from gradparity.model import BackendModel

TIMES = [0]

class Instead:
    def __init__(self, whole, **members):
        self._whole = whole
        vars(self).update(members)
    def __getattr__(self, name):
        return getattr(self._whole, name)

def answering(name, change):
    'NumPy, whose value_and_grad and trace give changed gradients.'
    def functions(spec):
        own = right.functions(spec)
        def value_and_grad(params, batch):
            loss, gradients = own.value_and_grad(params, batch)
            return change(loss, gradients, params)
        def trace(params, batch):
            values, gradients = own.trace(params, batch)
            changed = change(values['loss'], {n: gradients[n] for n in params}, params)
            return values, gradients | changed[1]
        return own._replace(value_and_grad=value_and_grad, trace=trace, derivation=None)
    return replace(right, name=name, differentiation='machine', functions=functions)

def with_function(name, member, function):
    return replace(
        right, name=name, functions=lambda spec: right.functions(spec)._replace(**{member: function}, derivation=None),
        differentiation='machine',
    )

def fail(*_):
    raise ZeroDivisionError('of mine')

def leave(*_):
    raise SystemExit(0)

def hang(*_):
    while True:
        time.sleep(0.01)

def again(loss, gradients, params):
    TIMES[0] += 1
    return loss, {n: g + TIMES[0] for n, g in gradients.items()}

def __getattr__(name):
    return BACKENDS[name]()

def spoil_params(loss, gradients, params):
    params['W'][:] = 0
    return loss, gradients

def spoil_examples(examples, dtype):
    examples.x[:] = 0

BACKENDS = {
    'raises_in_functions': lambda: replace(right, name='raises_in_functions', functions=fail),
    'raises': lambda: with_function('raises', 'value_and_grad', fail),
    'exits': lambda: with_function('exits', 'value_and_grad', leave),
    'raises_in_trace': lambda: with_function('raises_in_trace', 'trace', fail),
    'raises_in_compile': lambda: replace(right, name='raises_in_compile', runtime=Instead(right.runtime, compile=fail)),
    'raises_in_epoch': lambda: replace(right, name='raises_in_epoch', runtime=Instead(right.runtime, epoch=fail)),
    'hangs': lambda: with_function('hangs', 'value_and_grad', hang),
    'hangs_in_epoch': lambda: replace(right, name='hangs_in_epoch', runtime=Instead(right.runtime, epoch=hang)),
    'nothing': lambda: with_function('nothing', 'value_and_grad', lambda *_: None),
    'lists': lambda: answering('lists', lambda loss, g, p: (loss, {n: [[1.0], [2.0, 3.0]] for n in g})),
    'words': lambda: answering('words', lambda loss, g, p: (loss, {n: np.array('a') for n in g})),
    'nan': lambda: answering('nan', lambda loss, g, p: (loss, {n: a * np.nan for n, a in g.items()})),
    'names': lambda: answering('names', lambda loss, g, p: (loss, {n + '_': a for n, a in g.items()})),
    'shapes': lambda: answering('shapes', lambda loss, g, p: (loss, {n: a[None] for n, a in g.items()})),
    'dtypes': lambda: answering('dtypes', lambda loss, g, p: (loss, {n: a.astype('float16') for n, a in g.items()})),
    'twice': lambda: answering('twice', again),
    'spoils_parameters': lambda: answering('spoils_parameters', spoil_params),
    'spoils_examples': lambda: replace(
        right, name='spoils_examples', runtime=Instead(right.runtime, load=spoil_examples)
    ),
    'misnamed': lambda: replace(right, name='numpy'),
    'none_at_all': lambda: None,
    'a_list': lambda: [],
    'raises_on_import': lambda: 1 / 0,
    'exits_on_import': leave,
}
"""

UNUSABLE = ("misnamed", "none_at_all", "a_list", "raises_on_import", "exits_on_import")
"""Those that are no backend at all."""
IN_TRAINING = ("raises_in_epoch", "hangs_in_epoch", "spoils_examples")
"""Those whose gradients are right."""
HANGING = ("hangs", "hangs_in_epoch")
NAMES = (
    "raises_in_functions",
    "raises",
    "exits",
    "raises_in_trace",
    "raises_in_compile",
    "nothing",
    "lists",
    "words",
    "nan",
    "names",
    "shapes",
    "dtypes",
    "twice",
    "spoils_parameters",
    *HANGING,
    *(name for name in IN_TRAINING if name not in HANGING),
    *UNUSABLE,
)


def install(folder: Path) -> None:
    """Write the distribution ``broken`` into a folder that is on the path of Python."""
    (folder / "broken_backends.py").write_text(MODULE)
    register(folder, "broken", "gradparity.backends", **{name: f"broken_backends:{name}" for name in NAMES})
