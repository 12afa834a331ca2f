from gradparity.errors import unknown


def test_unknown_lists_what_there_is_and_guesses_what_was_meant() -> None:
    message = str(unknown("model", "softmax_regresion", ["softmax_regression", "mlp"]))
    assert message == (
        "unknown model 'softmax_regresion': there is mlp, softmax_regression; did you mean 'softmax_regression'?"
    )


def test_unknown_does_not_guess_wildly() -> None:
    assert "did you mean" not in str(unknown("model", "zzz", ["mlp"]))


def test_a_guess_does_not_depend_on_case() -> None:
    assert str(unknown("data set", "MNIST", ["mnist", "digits"])).endswith("did you mean 'mnist'?")
