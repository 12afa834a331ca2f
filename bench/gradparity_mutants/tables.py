"""Rates as tables, for a terminal or for a Markdown page."""

from collections.abc import Sequence

from gradparity.drawing import Table, TableColumn, table_of
from gradparity_mutants.run import CHECKERS, GRADPARITY, TriedMutant


def per_model(tried: Sequence[TriedMutant]) -> Table:
    """Count, for each model, the mutants that gradparity catches, and those whose line alone it names."""
    rows = []
    for model in dict.fromkeys(t.model for t in tried):
        own = [t for t in _mutants(tried) if t.model == model]
        lines = len({t.line for t in own})
        equivalents = sum(t.equivalent for t in tried if t.model == model)
        rates = [_rate([t.rejects[checker] for t in own]) for checker in GRADPARITY]
        rows.append([model, str(lines), str(len(own)), *rates, _rate([t.localised for t in own]), str(equivalents)])
    columns = ["model", "lines", "mutants", *(f"caught, {c.split()[1]}" for c in GRADPARITY), "exactly its line named"]
    return _table("Mutants by model", [*columns, "equivalents, not counted"], rows)


def side_by_side(tried: Sequence[TriedMutant]) -> Table:
    """Count, for each mutation, the mutants that each checker catches, under the right derivations it rejects."""
    right = [t for t in tried if not t.line]
    rows = [["right derivations rejected", str(len(right)), *_counts(right), ""]]
    found = _mutants(tried)
    for mutation in dict.fromkeys(t.mutation for t in found):
        own = [t for t in found if t.mutation == mutation]
        rows.append([mutation, str(len(own)), *_counts(own), _rate([t.localised for t in own])])
    rows.append(["all mutants", str(len(found)), *_counts(found), _rate([t.localised for t in found])])
    return _table("Caught, by mutation", ["mutation", "mutants", *CHECKERS, "exactly its line named"], rows)


def regimes(tried: Sequence[TriedMutant]) -> Table:
    """Say, for each regime, what each checker says of a right, an all-zero and a negated whole gradient."""
    rows = []
    for title in dict.fromkeys(t.model for t in tried):
        own = {t.mutation: t for t in tried if t.model == title}
        rows.append([title, *(_verdicts(own, checker) for checker in CHECKERS)])
    return _table("Right, all-zero and negated gradients", ["problem", *CHECKERS], rows)


def sentences(tried: Sequence[TriedMutant]) -> Table:
    """Count, for each mutation, the mutants for which gradparity gives a cause, with an example of what it says."""
    rows = []
    found = _mutants(tried)
    for mutation in dict.fromkeys(t.mutation for t in found):
        own = [t for t in found if t.mutation == mutation]
        # The last lines of the last model are gradients of parameters, which read best.
        rows.append([mutation, _rate([t.explained for t in own]), own[-1].diagnoses[0]])
    return _table("The sentence", ["mutation", "a cause given", "example"], rows)


def equivalents(tried: Sequence[TriedMutant]) -> Table:
    """List the mutations that change nothing where they are planted."""
    found = [t for t in tried if t.equivalent]
    rows = []
    for model in dict.fromkeys(t.model for t in found):
        for mutation in dict.fromkeys(t.mutation for t in found if t.model == model):
            lines = [t.line for t in found if (t.model, t.mutation) == (model, mutation)]
            rows.append([model, mutation, " ".join(lines)])
    return _table("Equivalents: nothing changes", ["model", "mutation", "lines"], rows)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    first, *others = columns
    return table_of(title, (TableColumn(first, "word"), *others), [rows])


def _mutants(tried: Sequence[TriedMutant]) -> list[TriedMutant]:
    return [t for t in tried if t.line and not t.equivalent]


def _counts(tried: Sequence[TriedMutant]) -> list[str]:
    return [_rate([t.rejects[checker] for t in tried]) for checker in CHECKERS]


def _rate(answers: Sequence[bool | None]) -> str:
    """All only where it is all of those that were tried."""
    tried = [answer for answer in answers if answer is not None]
    if not tried:
        return "not tried"
    if not all(tried):
        return f"{sum(tried)} of {len(tried)}"
    return "all" if len(tried) == len(answers) else f"all {len(tried)}"


def _verdicts(own: dict[str, TriedMutant], checker: str) -> str:
    answers = {mutation: t.rejects[checker] for mutation, t in own.items()}
    if None in answers.values():
        return "too slow"
    wrong = ["rejects the right one"] if answers["right"] else []
    wrong += [f"passes {mutation}" for mutation, rejected in answers.items() if mutation != "right" and not rejected]
    return ", ".join(wrong) or "right"
