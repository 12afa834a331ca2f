from gradparity_bench.contests import Contest
from gradparity_bench.measure import measure, refusals
from gradparity_bench.task import Task

CONTEST = Contest("notebook", {"numpy": 0.8, "numpy inlined": None})


def silent(_: str) -> None:
    pass


def test_an_unknown_loop_is_refused(task: Task) -> None:
    refused = refusals(task, [Contest("notebook", {"nunpy": None})], silent)
    assert refused["notebook"] == ""
    assert "did you mean 'numpy'?" in refused["nunpy"]


def test_each_loop_has_a_row_and_the_baseline_one_against_itself(task: Task) -> None:
    rows = measure(CONTEST, task, dict.fromkeys(CONTEST.loops, ""), 4, silent)
    assert [(row.loop, row.baseline, row.target) for row in rows] == [
        ("itself, again", "notebook", None),
        ("numpy", "notebook", 0.8),
        ("numpy inlined", "notebook", None),
    ]
    for row in rows:
        assert len(row.seconds) == 4
        assert row.ratio is not None
        median, low, high = row.ratio
        assert 0 < low <= median <= high


def test_a_refused_loop_is_not_timed_and_the_others_are(task: Task) -> None:
    refused = {"notebook": "", "numpy": "it is wrong", "numpy inlined": ""}
    again, numpy, inlined = measure(CONTEST, task, refused, 1, silent)
    assert (numpy.seconds, numpy.ratio, numpy.refusal) == ((), None, "it is wrong")
    assert all(row.seconds and row.ratio and not row.refusal for row in (again, inlined))


def test_nothing_is_timed_against_a_refused_baseline(task: Task) -> None:
    refused = {"notebook": "it is wrong", "numpy": "", "numpy inlined": ""}
    for row in measure(CONTEST, task, refused, 1, silent):
        assert (row.seconds, row.ratio, row.refusal) == ((), None, "it is wrong")
