"""On which line of the user's file each gradient that a backward rule returns is made."""

import ast
import linecache
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import CodeType
from typing import Any

import numpy as np

from gradparity.parity.diagnosis.rerun import Rule
from gradparity.parity.problem import Problem
from gradparity.protocol import Trace
from gradparity.subjects.model_file.source import code_of, definition, shown


def editable(
    rule: Callable[..., Any],
    run: Callable[[Trace], Mapping[str, np.ndarray]],
    forward: Callable[[], Mapping[str, np.ndarray]],
    compiles: bool = False,
) -> Rule | None:
    """Return a rule that a diagnosis may edit and run again; None where Python shows no source of it."""
    code = code_of(rule)
    return Rule(code, _place, run, forward, compiles) if code else None


def _place(file: str, line: int) -> str:
    return f"{shown(file)}:{line}"


def located(problem: Problem, rule: Callable[..., Any], names: Sequence[str], forward: Callable[..., Any]) -> Problem:
    """Return the problem with the places of its lines. ``names`` are those of the rule's arguments."""
    values = {name: definition(forward) for truth in problem.truths.values() for name in truth.values}
    return replace(problem, places={**values, **gradient_lines(rule, names, problem.params)})


def gradient_lines(rule: Callable[..., Any], names: Sequence[str], paths: Iterable[str]) -> dict[str, str]:
    """Return, for each array ``x`` or ``params['W']``, the line on which a rule makes the gradient that it returns.

    That is where the variable that it returns is written last, or the ``return`` itself; the definition where the
    rule returns something else than one gradient for each of the arguments' ``names``.
    """
    code = code_of(rule)
    tree = _function_at(code) if code else None
    returned = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return)] if tree else []
    last = returned[-1] if returned else None
    each = last.elts if isinstance(last, ast.Tuple | ast.List) else [last]
    if code is None or tree is None or len(each) != len(names):
        return dict.fromkeys(paths, definition(rule))
    lines = {}
    for path in paths:
        argument, _, key = path.partition("[")
        element = each[names.index(argument)]
        line = code.co_firstlineno if element is None else element.lineno
        if element is not None:
            line = _written_last(tree, ast.unparse(element), f"[{key}" if key else "") or line
        lines[path] = f"{shown(code.co_filename)}:{line}"
    return lines


def _function_at(code: CodeType) -> ast.FunctionDef | None:
    try:
        tree = ast.parse("".join(linecache.getlines(code.co_filename)))
    except SyntaxError:
        return None
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return next((node for node in functions if code.co_firstlineno in (node.lineno, _decorated(node))), None)


def _decorated(node: ast.FunctionDef) -> int:
    """Return the line of the first decorator: where a function begins for its code."""
    return min((decorator.lineno for decorator in node.decorator_list), default=node.lineno)


def _written_last(tree: ast.FunctionDef, variable: str, key: str) -> int | None:
    """Return the last line that writes a variable, or its entry of this key."""
    targets = [
        (ast.unparse(target), node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AugAssign)
        for every in (node.targets if isinstance(node, ast.Assign) else [node.target])
        for target in (every.elts if isinstance(every, ast.Tuple) else [every])
    ]
    exact = [line for target, line in targets if key and target == variable + key]
    whole = [line for target, line in targets if target == variable]
    return max(exact or whole, default=None)
