"""Rates as tables, for a terminal or for a Markdown page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from gradparity_mutants.run import CHECKERS, GRADPARITY, Tried


@dataclass(frozen=True)
class Grid:
    """A title, a heading for each column, and cells."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def rich(self) -> Table:
        """Return it for a terminal."""
        table = Table(title=self.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for i, column in enumerate(self.columns):
            table.add_column(column, justify="right" if i else "left", overflow="fold")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """Return it for a page."""
        head = [f"**{self.title}**", "", _line(self.columns), _line(["---"] * len(self.columns))]
        return "\n".join([*head, *map(_line, self.rows)])


def per_model(tried: Sequence[Tried]) -> Grid:
    """Count, for each model, the mutants that gradparity catches, and those whose line alone it names."""
    rows = []
    for model in dict.fromkeys(t.model for t in tried):
        own = [t for t in _mutants(tried) if t.model == model]
        lines = len({t.line for t in own})
        equivalents = sum(t.equivalent for t in tried if t.model == model)
        rates = [_rate([t.rejects[checker] for t in own]) for checker in GRADPARITY]
        rows.append([model, str(lines), str(len(own)), *rates, _rate([t.localised for t in own]), str(equivalents)])
    columns = ["model", "lines", "mutants", *(f"caught, {c.split()[1]}" for c in GRADPARITY), "exactly its line named"]
    return Grid("Mutants by model", [*columns, "equivalents, not counted"], rows)


def side_by_side(tried: Sequence[Tried]) -> Grid:
    """Count, for each mutation, the mutants that each checker catches, under the right derivations it rejects."""
    right = [t for t in tried if not t.line]
    rows = [["right derivations rejected", str(len(right)), *_counts(right), ""]]
    found = _mutants(tried)
    for mutation in dict.fromkeys(t.mutation for t in found):
        own = [t for t in found if t.mutation == mutation]
        rows.append([mutation, str(len(own)), *_counts(own), _rate([t.localised for t in own])])
    rows.append(["all mutants", str(len(found)), *_counts(found), _rate([t.localised for t in found])])
    return Grid("Caught, by mutation", ["mutation", "mutants", *CHECKERS, "exactly its line named"], rows)


def regimes(tried: Sequence[Tried]) -> Grid:
    """Say, for each regime, what each checker says of a right, an all-zero and a negated whole gradient."""
    rows = []
    for title in dict.fromkeys(t.model for t in tried):
        own = {t.mutation: t for t in tried if t.model == title}
        rows.append([title, *(_verdicts(own, checker) for checker in CHECKERS)])
    return Grid("Right, all-zero and negated gradients", ["problem", *CHECKERS], rows)


def sentences(tried: Sequence[Tried]) -> Grid:
    """Count, for each mutation, the mutants for which gradparity gives a cause, with an example of what it says."""
    rows = []
    found = _mutants(tried)
    for mutation in dict.fromkeys(t.mutation for t in found):
        own = [t for t in found if t.mutation == mutation]
        # The last lines of the last model are gradients of parameters, which read best.
        rows.append([mutation, _rate([t.explained for t in own]), own[-1].diagnoses[0]])
    return Grid("The sentence", ["mutation", "a cause given", "example"], rows)


def equivalents(tried: Sequence[Tried]) -> Grid:
    """List the mutations that change nothing where they are planted."""
    found = [t for t in tried if t.equivalent]
    rows = []
    for model in dict.fromkeys(t.model for t in found):
        for mutation in dict.fromkeys(t.mutation for t in found if t.model == model):
            lines = [t.line for t in found if (t.model, t.mutation) == (model, mutation)]
            rows.append([model, mutation, " ".join(lines)])
    return Grid("Equivalents: nothing changes", ["model", "mutation", "lines"], rows)


def _mutants(tried: Sequence[Tried]) -> list[Tried]:
    return [t for t in tried if t.line and not t.equivalent]


def _counts(tried: Sequence[Tried]) -> list[str]:
    return [_rate([t.rejects[checker] for t in tried]) for checker in CHECKERS]


def _rate(answers: Sequence[bool | None]) -> str:
    """100 % only where it is all of them."""
    yes = sum(answer is True for answer in answers)
    return f"{yes} of {len(answers)}" if yes < len(answers) else "all"


def _verdicts(own: dict[str, Tried], checker: str) -> str:
    answers = {mutation: t.rejects[checker] for mutation, t in own.items()}
    if None in answers.values():
        return "too slow"
    wrong = ["rejects the right one"] if answers["right"] else []
    wrong += [f"passes {mutation}" for mutation, rejected in answers.items() if mutation != "right" and not rejected]
    return ", ".join(wrong) or "right"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
