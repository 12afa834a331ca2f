import pytest

from gradparity import __main__, comparison, timing


@pytest.fixture
def gradparity(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Run a command; return its exit status, standard output and standard error."""
    monkeypatch.setenv("COLUMNS", "80")

    def command(*arguments: object) -> tuple[int, str, str]:
        status = __main__.run([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return command


@pytest.fixture
def quickly_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time a few rounds, and let nothing settle: no speed is asserted."""
    monkeypatch.setattr(comparison, "ROUNDS", 3)
    monkeypatch.setattr(timing, "SETTLE", 0.0)
