from fractions import Fraction

import numpy as np
import pytest

from gradparity.errors import UsageError
from gradparity.protocol import Key
from gradparity.recording import Gradients, Recorder, TappedCache, View, forward_order


def test_gradients_sum_over_uses() -> None:
    d = Gradients(loss=1.0)
    d.add("W", 2.0)
    d.add("W", 3.0)
    assert d == {"loss": 1.0, "W": 5.0}


def test_tapped_cache_reads_what_the_tap_returned() -> None:
    c = TappedCache(lambda name, value: (name, value))
    c["z"] = 1
    assert c["z"] == ("z", 1)


def test_an_update_is_tapped_too() -> None:
    c = TappedCache(lambda _, value: 10 * value)
    c.update(z=1, a=2)
    assert (c["z"], c.get("a"), c.get("none")) == (10, 20, None)
    assert list(c) == ["z", "a"]


def test_update_and_get_are_checked_too() -> None:
    d = Recorder("d", {"z": 10.0})
    d.update(z=1.0)
    assert d.get("z") == 10.0
    assert d.written() == {"z": 1.0}
    with pytest.raises(UsageError, match=r"d\['z'\] is written twice"):
        d.update(z=2.0)


def test_what_is_written_can_be_inspected_first() -> None:
    seen: list[tuple[Key, float]] = []
    d = Recorder("d", {}, inspect=lambda key, value: seen.append((key, value)))
    d["z", 0] = 1.0
    d.add("W", 2.0)
    d.add("W", 3.0)
    assert seen == [(("z", 0), 1.0), ("W", 2.0), ("W", 3.0)]
    assert d["W"] == 5.0


def test_an_array_of_another_library_than_the_witness_is_refused() -> None:
    d = Recorder("d", {"z": np.ones(2)})
    with pytest.raises(
        UsageError, match=r"d\['z'\] must be an array of numpy, got one of fractions: .*array_namespace"
    ):
        d["z"] = Fraction(1, 2)


def test_recorder_answers_reads_with_the_witness_and_keeps_what_was_written() -> None:
    d = Recorder("d", {"z": 10.0, "W": 7.0}, seed="loss")
    d["z"] = 1.0
    d["W"] = 2 * d["z"]
    assert d.written() == {"z": 1.0, "W": 20.0}


def test_recorder_reads_a_name_without_witness_as_it_was_written() -> None:
    c = Recorder("c", {})
    c["own"] = 3.0
    assert c["own"] == 3.0


def test_recorder_knows_what_each_line_read() -> None:
    d = Recorder("d", {"loss": 1.0, "z": 2.0}, seed="loss")
    d["z"] = d["loss"] * 5
    d.add("W", d["z"])
    d.add("W", d["z"] + d["loss"])
    assert d.reads == {"z": ("loss",), "W": ("z", "z", "loss")}
    assert d.written()["W"] == 5.0


@pytest.mark.fault(kind="file")
@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda d: (d.__setitem__("W", 1), d.__setitem__("W", 2)), r"d\['W'\] is written twice.*d\.add\('W', value\)"),
        (lambda d: (d.__setitem__("W", 1), d.add("W", 2)), r"d\['W'\] is written and then added to"),
        (lambda d: (d.add("W", 1), d.__setitem__("W", 2)), r"d\['W'\] is written twice"),
        (lambda d: d["z"], r"d\['z'\] is read before it is written: so far there is nothing; write it first.*d\.add"),
        (lambda d: (d.__setitem__("W1", 1), d["w1"]), r"so far there is W1;.* did you mean 'W1'\?"),
    ],
)
def test_recorder_refuses_and_names_the_line(write: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        write(Recorder("d", {"z": 1.0, "W": 1.0}))  # type: ignore[operator]


def test_a_second_write_to_c_is_no_sum() -> None:
    c = Recorder("c", {})
    c["z"] = 1.0
    with pytest.raises(UsageError, match=r"c\['z'\] is written twice: .* a new value gets a new name") as caught:
        c["z"] = 2.0
    assert "add" not in str(caught.value)


def test_a_parameter_comes_before_the_line_that_reads_it_first_and_an_unread_one_first_of_all() -> None:
    reads = {"z": ("batch.x", "W"), "penalty": ("W", "V"), "loss": ("z", "penalty")}
    assert forward_order(reads, ["unread", "V", "W"]) == ["unread", "W", "z", "V", "penalty", "loss"]


def test_a_view_at_a_place_puts_it_before_every_name() -> None:
    c: dict[str, int] = {}
    norm = View(View(c, "block1"), "norm")
    norm["out"] = 1
    norm["scale"] = norm["out"] + 1
    assert c == {"block1.norm.out": 1, "block1.norm.scale": 2}
    assert norm.behind("out") == (c, "block1.norm.out")


def test_a_view_that_renames_leaves_other_names_as_they_are() -> None:
    d = Gradients(z2=3.0, loss=1.0)
    layer = View(d, {"W": "W2", "out": "z2"})
    layer.add("W", layer["out"])
    layer.add("W", layer["loss"])
    assert d == {"z2": 3.0, "loss": 1.0, "W2": 4.0}
    inside = View(View(d, "block1"), {"out": "z"})
    inside["out"] = 5.0
    assert d["block1.z"] == 5.0


def test_what_an_operation_reads_is_recorded_under_full_names() -> None:
    d = Recorder("d", {"block1.out": 10.0, "block1.W": 7.0})
    view = View(d, "block1")
    view["out"] = 1.0
    view.add("W", 2 * view["out"])
    assert d.written() == {"block1.out": 1.0, "block1.W": 20.0}
    assert d.reads == {"block1.out": (), "block1.W": ("block1.out",)}
    with pytest.raises(UsageError, match=r"d\['block1.gain'\] is read before it is written"):
        view["gain"]


def test_a_view_of_a_tapped_cache_taps_full_names() -> None:
    c = TappedCache(lambda name, value: (name, value))
    View(c, "block1")["out"] = 1
    assert View(c, "block1")["out"] == ("block1.out", 1)


def test_a_loop_writes_its_names_once_in_every_pass_and_they_are_one_array() -> None:
    d = Recorder("d", {"h": np.array([10.0, 20.0])})
    d["h", 1] = np.array(1.0)
    d.add(("h", 0), d["h", 1] * 2)
    d.add(("h", 0), np.array(5.0))
    assert d["h", 1] == 20.0
    assert d.written()["h"].tolist() == [45.0, 1.0]
    assert d.reads == {"h": ("h",)}
    with pytest.raises(UsageError, match=r"d\['h', 1\] is written twice.*d\.add\(\('h', 1\), value\)"):
        d["h", 1] = np.array(2.0)
    with pytest.raises(UsageError, match=r"d\['h', 2\] is read before it is written: so far there is h;"):
        d["h", 2]


def test_a_view_renames_what_a_loop_writes() -> None:
    c: dict[object, int] = {}
    View(View(c, "block1"), {"out": "states"})["out", 3] = 1
    assert c == {("block1.states", 3): 1}


def test_a_tapped_cache_refuses_a_name_that_is_written_twice() -> None:
    c = TappedCache(lambda _, value: value)
    c["h", 0] = c["h", 1] = 1
    with pytest.raises(UsageError, match=r"c\['h', 1\] is written twice"):
        c["h", 1] = 2
