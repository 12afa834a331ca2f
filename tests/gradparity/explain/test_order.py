"""The order of a model's lines, from what each reads."""

from gradparity.explain.order import forward_order


def test_a_parameter_comes_before_the_line_that_reads_it_first_and_an_unread_one_first_of_all() -> None:
    reads = {"z": ("batch.x", "W"), "penalty": ("W", "V"), "loss": ("z", "penalty")}
    assert forward_order(reads, ["unread", "V", "W"]) == ["unread", "W", "z", "V", "penalty", "loss"]
