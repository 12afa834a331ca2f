"""Ordinary NumPy code as it stands: each gradient that it computes by hand, beside what its own loss says."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from gradparity.errors import UsageError, ending_nothing, quoted
from gradparity.inputs import require_whole
from gradparity.parity.examine import examine
from gradparity.parity.report import Report
from gradparity.subjects.model_file.source import UNREADABLE
from gradparity.subjects.plain import capture, conventions, regions
from gradparity.subjects.plain import loss as losses
from gradparity.subjects.plain.around import renew_names, unit_around
from gradparity.subjects.plain.capture import failed
from gradparity.subjects.plain.feeding import Feeding
from gradparity.subjects.plain.lines import paired, targets, without_owner
from gradparity.subjects.plain.listing import LEGEND, NOT_RUN, listings, not_run, shares
from gradparity.subjects.plain.loose import overlooked
from gradparity.subjects.plain.loss import LossOf
from gradparity.subjects.plain.machine import machine_of
from gradparity.subjects.plain.notebook import as_python
from gradparity.subjects.plain.operations import operations_of
from gradparity.subjects.plain.pairing import fed_with_evidence, of_the_forward_pass, read_as_deltas, recognised
from gradparity.subjects.plain.pairs import BACKWARD, all_pairs, pair_of, pair_unit
from gradparity.subjects.plain.posing import (
    Checked,
    could_be,
    labelled,
    pose,
    require_lines,
    require_numpy,
    require_owners,
    unchecked,
)
from gradparity.subjects.plain.program import Program, as_a_script, program_of
from gradparity.subjects.plain.recording import Recording
from gradparity.subjects.plain.shrinking import with_smallest
from gradparity.subjects.plain.stirring import make_real, stirred
from gradparity.subjects.plain.terms import with_wrong_terms
from gradparity.subjects.plain.truths import Truths, label
from gradparity.subjects.plain.unguarded import without_guards
from gradparity.subjects.plain.unit import Unit

Explain: TypeAlias = Literal["few", "all"] | None
BRIEFLY = 3.0
"""Seconds for recognising gradients whose names say nothing: no verdict depends on it."""


@ending_nothing()
def check_file(
    argument: str, *, names: Sequence[str] = (), loss: str = "", seed: int = 0, explain: Explain = None
) -> Report:
    """Check the gradients in ``train.py``, ``train.py:step``, ``lesson.ipynb`` or ``lesson.ipynb:step``.

    The file is run until it calls the function, or enters the loop, that computes the gradients; there it is stopped.
    ``names`` say whose gradient a name is, ``grad_of_z=z`` each; ``loss`` is an expression in the code's own names.
    ``explain`` puts the machines' own operations below each line, a "few" of many or "all".
    Raises UsageError, in one line, for what cannot be checked.
    """
    path, name = split(argument)
    program = program_of(path)
    with as_a_script(program):
        return _checked(program, name, names, loss, seed, explain)


def check_cell(
    text: str, given: dict[str, Any], name: str = "", *, names: Sequence[str] = (), loss: str = "", seed: int = 0
) -> Report:
    """Check the gradients in a cell of a notebook that runs, on copies of the names that are there.

    Raises UsageError, in one line, for what cannot be checked.
    """
    program = Program("this cell", as_python(text))
    renew_names(program, given)
    return _checked(program, name, names, loss, seed)


def _checked(
    program: Program, name: str, names: Sequence[str], loss: str, seed: int, explain: Explain = None
) -> Report:
    extra = paired_names(names)
    functions = regions.functions_of(program.source.trees[program.file])
    if name:
        function = capture.choose_function(program, name, functions)
        pair = pair_of(function, functions)
        unit = _of_pair(program, pair, seed) if pair else capture.function_unit(program, function)
    else:
        unit = _likeliest(program, functions, extra, loss, seed)
    return check_unit(unit, program, extra, loss, seed, explain)


def split(argument: str) -> tuple[Path, str]:
    """Split FILE:FUNCTION."""
    for suffix in (".py", ".ipynb"):
        before, colon, name = argument.rpartition(f"{suffix}:")
        if colon:
            return Path(before + suffix), name
    return Path(argument), ""


def paired_names(names: Sequence[str]) -> dict[str, str]:
    """Read ``grad_logits=logits``, also several with commas. Raises UsageError."""
    if not isinstance(names, Sequence):
        raise UsageError(f'names must be a list, got {quoted(names)}: write names=["grad_logits=logits"]')
    found = {}
    entries = [names] if isinstance(names, str) else names
    for each in (pair for entry in entries for pair in entry.split(",")):
        gradient, equals, of = each.partition("=")
        if not (equals and gradient.strip() and of.strip()):
            raise UsageError(f"--names must be GRADIENT=NAME, got '{each}': write --names grad_logits=logits")
        found[gradient.strip()] = of.strip()
    return found


def _likeliest(
    program: Program, functions: Mapping[str, ast.FunctionDef], extra: Mapping[str, str], loss: str, seed: int
) -> Unit:
    """Take the smallest part of a file that has gradients, what they are of, and a loss; else its pair."""
    found = regions.regions_of(program.source.trees[program.file], extra)
    best = [r for r in found if len(r.gradients) + len(r.forward) == len(found[0].gradients) + len(found[0].forward)]
    pairs = all_pairs(functions)
    paired_up = {name for pair in pairs for name in pair}
    backwards = {name for name in functions if BACKWARD.search(name.rpartition(".")[2])}
    with_loss = [r for r in best if r.has_loss or loss or (r.returns and r.name not in paired_up | backwards)]
    if pairs and not with_loss:
        if len(pairs) > 1:
            there = ", ".join(f"{program.shown()}:{backward}" for _, backward in pairs)
            raise UsageError(f"{program.shown()} has {len(pairs)} pairs of functions: choose one, {there}")
        return _of_pair(program, pairs[0], seed)
    if not best:
        raise UsageError(
            f"{program.shown()}: nothing in it is written as the gradient of something else: a name like dz, d_z, "
            "grad_z, z_grad or grads['z'] says so, or --names grad_of_z=z"
        )
    return _unit_of(program, (with_loss or best)[0])


def _of_pair(program: Program, pair: tuple[str, str], seed: int) -> Unit:
    """Run a program until the forward function is called, and take its arguments. Raises UsageError."""
    return pair_unit(program, *capture.call_again(capture.run_to_function(program, pair[0])), pair, seed)


def _unit_of(program: Program, region: regions.Region) -> Unit:
    if region.is_function:
        return capture.function_unit(program, region.name)
    line = getattr(region.node, "lineno", 0)
    return capture.block_unit(program, line) if line else capture.module_unit(program)


def check_unit(
    unit: Unit, program: Program, extra: Mapping[str, str], expression: str, seed: int, explain: Explain = None
) -> Report:
    """Check one unit."""
    require_whole("seed", seed, 0)
    source, name = program.source, f"{program.shown()}, {unit.name}"
    try:
        recording = Recording(source, extra, _forwards(program)).run(unit)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        require_numpy(name, unit.roots)
        raise failed(program, error) from error
    require_owners(recording)
    if make_real(unit, recording):
        recording = Recording(source, extra, _forwards(program)).run(unit)
    lines = paired(recording)
    if not lines:
        require_numpy(name, {**(recording.finished.scope if recording.finished else {}), **unit.roots})
    moved = stirred(unit, source, [line.target for line in lines], seed)
    feeding, checked = _beside(unit, program, extra, expression, seed)
    by_numbers = recognised(checked.fed, checked.truths, checked.recording)
    if not checked.fed.judged and by_numbers:
        checked = replace(checked, fed=feeding.run(checked.truths.arrays, by_numbers))
    require_lines(checked)
    if moved:
        alike = f"{', '.join(moved)}: all entries were alike, where mistakes hide; checked at random numbers instead"
    remarks = [
        f"the loss is taken to be {checked.loss_said}",
        *([alike] if moved else []),
        *conventions.remarks(checked),
    ]
    remarks += [f"{w.name} is {why}" for w, why in shares(checked)]
    remarks += [f"{site.target} in {checked.line_of(site)} was {NOT_RUN}" for site in not_run(checked)]
    report = examine(pose(checked, list(unchecked(checked, by_numbers)), remarks), seed)
    judged = labelled(checked)
    told = with_wrong_terms(feeding, checked, judged, [replace(row, called=row.line) for row in report.rows])
    # Which axis, if any, counts examples, plain code does not say.
    report = replace(report, n=0, rows=conventions.with_another_loss(checked, told))
    report = with_smallest(without_guards(report, feeding, checked), feeding, checked)
    below = {} if explain is None else operations_of(checked, by_numbers, every=explain == "all")
    found = listings(checked, judged, report.rows, by_numbers, below)
    signs = {line.sign for listing in found for line in listing.lines}
    return replace(
        report, listings=found, remarks=(*(LEGEND[sign] for sign in LEGEND if sign in signs), *report.remarks)
    )


def _beside(
    unit: Unit, program: Program, extra: Mapping[str, str], expression: str, seed: int
) -> tuple[Feeding, Checked]:
    """Run a unit beside the witness, and pair what it writes. Raises UsageError, and what the code raises."""
    source = program.source
    recording = Recording(source, extra, _forwards(program)).run(unit)
    labels = {label(v): v for v in recording.variables}
    name = f"{program.shown()}, {unit.name}"
    loss = LossOf(unit, source, losses.find(recording, expression, name), recording, labels)
    loss.require_number(name)
    if recording.early_losses and not expression and loss.is_moved_by(conventions.keys_of(paired(recording))):
        # After an update it is computed once more, with the next weights.
        loss = replace(loss, at=losses.find(recording, "", name, early=True))
    lines = conventions.after_the_loss(loss, paired(recording))
    truths = Truths(loss, seed, machine_of(loss))
    truths.learn(targets(recording, lines))
    of_the_forward_pass(lines, truths, recording)
    feeding = Feeding(unit, source, recording, lines, without_owner(recording, lines, loss))
    read_as_deltas(feeding, truths)
    truths, fed = conventions.in_its_own_units(feeding, truths, fed_with_evidence(feeding, truths))
    missed = overlooked(fed, loss, recording)
    checked = Checked(name, recording, loss.at, truths, fed, program, missed)
    truths.learn(could_be(checked), BRIEFLY)
    truths.confirm(one.of for one in fed.judged)
    return feeding, checked


def _forwards(program: Program) -> dict[str, str]:
    """Return the forward function of each backward function, in all files."""
    trees = program.source.trees.values()
    return {back: ahead for tree in trees for ahead, back in all_pairs(regions.functions_of(tree))}


def is_plain(argument: str) -> bool:
    """Whether an argument names a notebook, or a Python file that is no model file."""
    path, _ = split(argument)
    if path.suffix == ".ipynb":
        return True
    if path.suffix != ".py" or not path.is_file():
        return False
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except UNREADABLE:
        return False
    names = {getattr(node, "id", getattr(node, "attr", getattr(node, "name", ""))) for node in ast.walk(tree)}
    taken = {f.name: len(f.args.args) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef)}
    halves = (taken.get("forward"), taken.get("backward"))
    # What a star imports may be the other half.
    of_a_model = {(3, 4), *(((3, None), (None, 4)) if "*" in names else ())}
    return "param_shapes" not in names and halves not in of_a_model


@ending_nothing()
def check_code(
    function: Any, *arguments: Any, names: Sequence[str] = (), loss: str = "", seed: int = 0, **named: Any
) -> Report:
    """Check the gradients that a function of your own computes, as it runs on these arguments, unchanged.

    It is ordinary NumPy code: forward lines, ``z = X @ W + b``, and gradient lines whose names say of what, ``dz = …``;
    it returns its loss, or calls it loss. Functions that it calls are followed, those of libraries are not. A function
    ``f_forward`` that returns ``out, cache`` is checked with its ``f_backward(dout, cache)``. A string is a file, as
    ``gradparity check`` takes it. ``names`` say whose gradient a name is, ``"grad_of_z=z"``; ``loss`` is an expression
    in the function's own names. Raises UsageError for what cannot be checked.
    """
    if isinstance(function, str | Path):
        return check_file(str(function), names=names, loss=loss, seed=seed)
    program, unit = unit_around(function, arguments, named, seed)
    return check_unit(unit, program, paired_names(names), loss, seed)
