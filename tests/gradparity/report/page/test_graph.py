"""The drawing of a graph, for every graph: nothing overlaps, and every edge goes down."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gradparity.explain import Edge
from gradparity.report.page.graph import Drawing, drawn_graph


@st.composite
def graphs(drawing: st.DrawFn) -> tuple[list[str], list[Edge]]:
    """Names in an order in which each reads only earlier ones."""
    names = drawing(st.lists(st.text("abcW_12", min_size=1, max_size=12), min_size=1, max_size=12, unique=True))
    pairs = [(source, target) for i, target in enumerate(names) for source in names[:i]]
    return names, [Edge(*pair) for pair in pairs if drawing(st.booleans())]


def drawn(names: list[str], *edges: tuple[str, str]) -> Drawing:
    """Draw a graph given by pairs."""
    return drawn_graph(names, [Edge(*edge) for edge in edges])


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_boxes_stand_apart_inside_the_drawing(graph: tuple[list[str], list[Edge]]) -> None:
    drawing = drawn_graph(*graph)
    assert [box.name for box in drawing.boxes] == graph[0]
    for box in drawing.boxes:
        assert box.x - box.width / 2 >= 0
        assert box.x + box.width / 2 <= drawing.width
        assert 0 <= box.y <= drawing.height - drawing.box_height
        assert box.width >= 8 * len(box.name)
        for other in drawing.boxes:
            if other is not box and other.y == box.y:
                assert abs(other.x - box.x) > (other.width + box.width) / 2


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_every_edge_goes_down_from_its_source_to_its_target_past_all_other_boxes(
    graph: tuple[list[str], list[Edge]],
) -> None:
    drawing = drawn_graph(*graph)
    boxes = {box.name: box for box in drawing.boxes}
    assert [curve.edge for curve in drawing.curves] == graph[1]
    for curve in drawing.curves:
        source, target = boxes[curve.edge.source], boxes[curve.edge.target]
        points = [curve.segments[0][0], *(end for _, end in curve.segments)]
        assert points[0] == (source.x, source.y + drawing.box_height)
        assert points[-1] == (target.x, target.y)
        assert all(upper[1] < lower[1] for upper, lower in pairwise(points))
        for x, y in points[1:-1]:
            assert all(
                abs(box.x - x) > box.width / 2 for box in boxes.values() if box.y <= y <= box.y + drawing.box_height
            )


def test_a_chain_is_a_straight_line_with_its_parameters_on_both_sides() -> None:
    names = ["z1", "W2", "b2", "a1", "z2"]
    drawing = drawn(names, ("z1", "a1"), ("W2", "z2"), ("b2", "z2"), ("a1", "z2"))
    at = {box.name: box for box in drawing.boxes}
    assert at["z1"].x == at["a1"].x == at["z2"].x
    assert at["W2"].x < at["a1"].x < at["b2"].x
    assert at["W2"].y == at["a1"].y == at["b2"].y


def test_what_is_given_stands_right_above_its_first_reader() -> None:
    drawing = drawn(["x", "a", "W", "b"], ("x", "a"), ("a", "b"), ("W", "b"))
    at = {box.name: box for box in drawing.boxes}
    assert at["x"].y < at["a"].y == at["W"].y < at["b"].y
