import re
from collections.abc import Callable
from dataclasses import replace

from gradparity import registry
from gradparity_bench.choice import choices
from gradparity_bench.page import bench_page
from gradparity_bench.page.bars import phases
from gradparity_bench.results import Measurement, Result
from gradparity_bench.standings import Phases, Point, Standing

Make = Callable[..., Measurement]
ALL = {name: 1e-3 * (i + 1) for i, name in enumerate(registry.names())}


def _page(*measurements: Measurement) -> str:
    return bench_page(Result({"CPU": "a <b>CPU</b>"}, 0, measurements, choice=choices(measurements)))


def _sections(page: str) -> list[str]:
    return re.findall(r'<section id="(\w+)"', page)


def test_a_point_has_every_section_and_the_verdicts_come_first(make_measurement: Make) -> None:
    page = _page(make_measurement(ALL))
    assert _sections(page) == ["grid", "ratios", "roofline", "once", "memory", "numbers"]
    assert page.index("Choose numpy for mlp") < page.index("torch-compile costs 0.86× its own hand derivation")
    assert page.index("torch-compile costs 0.86× its own hand derivation") < page.index("<nav")
    assert all(f'href="#{section}"' in page for section in _sections(page))


def test_a_sweep_has_curves_with_its_crossovers(make_measurement: Make) -> None:
    found = [
        make_measurement({"numpy": 1e-4 + 5e-6 * n, "jax": 1e-4 + 1e-6 * n}, batch_size=n) for n in (1, 8, 64, 512)
    ]
    page = _page(*found)
    assert _sections(page) == ["curves", "roofline", "once", "memory", "numbers"]
    assert "numpy turns from dispatch-bound to compute-bound at about batch size 20" in page
    assert page.count("<details") == 4


def test_the_roofline_names_the_sizes_of_its_markers(make_measurement: Make) -> None:
    page = _page(*(make_measurement({"numpy": 1e-3, "jax": 2e-3}, batch_size=n) for n in (8, 64)))
    roof = page[page.index('id="roofline"') : page.index('id="once"')]
    assert all(roof.count(f">batch {n}</text>") == 1 for n in (8, 64))


def test_the_banner_is_neutral_where_the_verdict_is_too_noisy(make_measurement: Make) -> None:
    clear = make_measurement({"numpy": 1e-3, "jax": 2e-3})
    assert '<div class="verdict agree">' in _page(clear)
    numpy, jax = clear.rows
    assert jax.rounds is not None
    noisy = replace(jax, rounds=replace(jax.rounds, step=(1e-3, 1e-3, 1.5e-3, 1.5e-3, 1.5e-3)))
    unclear = replace(clear, rows=(numpy, noisy))
    assert unclear.verdict("jax") == "unclear"
    assert '<div class="verdict open">' in _page(unclear)
    assert '<div class="verdict open">' in _page()


def test_a_start_that_is_far_longer_than_all_others_flattens_none(make_measurement: Make) -> None:
    m = make_measurement({"numpy": 1e-3, "jax": 2e-3, "torch": 1e-3})
    slow = Phases(0.5, None, 100.0, 0.5)
    drawn = str(phases("once", replace(m, rows=(*m.rows[:2], replace(m.rows[2], phases=slow)))))
    assert ">→ 101 s</text>" in drawn
    assert ">4</text>" not in str(phases("once", m))
    assert ">100</text>" not in drawn


def test_points_that_differ_in_no_number_have_an_interval_chart_each(make_measurement: Make) -> None:
    page = _page(*(make_measurement({"numpy": 1e-3, "jax": 1e-3}, dtype=dtype) for dtype in ("float32", "float64")))
    assert "ratios" in _sections(page)
    assert len(re.findall(r"Training step as a multiple of numpy", page)) == 2


def test_ids_are_unique_and_text_is_escaped(make_measurement: Make) -> None:
    page = _page(make_measurement(ALL, batch_size=8), make_measurement(ALL, batch_size=64))
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert "a &lt;b&gt;CPU&lt;/b&gt;" in page


def test_a_backend_without_timings_is_named_with_its_reason(make_measurement: Make) -> None:
    assert "jax is not timed, not installed: &#39;jax&#39; is not installed" in _page(
        make_measurement({"numpy": 1e-3, "jax": None})
    )


def test_a_page_of_nothing_timed_says_so() -> None:
    row = Standing("jax", "", None, "died", "signal 9")
    page = _page(Measurement(Point("mlp", {}, 8, "float32", 1), 10, 10, 64, (row,)))
    assert "No two backends were timed" in page
    assert "jax is not timed, died: signal 9" in page
    assert "No two backends were timed" in _page()


def test_without_limits_and_memory_their_sections_are_left_out(make_measurement: Make) -> None:
    m = make_measurement({"numpy": 1e-3, "jax": 2e-3})
    bare = replace(m, limits=None, rows=tuple(replace(row, peak_memory=None, working_memory=None) for row in m.rows))
    assert _sections(_page(bare)) == ["ratios", "once", "numbers"]
