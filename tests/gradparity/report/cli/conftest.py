import pytest

from gradparity import __main__


@pytest.fixture
def gradparity(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Run a command; return its exit status, standard output and standard error."""
    monkeypatch.setenv("COLUMNS", "80")

    def command(*arguments: object) -> tuple[int, str, str]:
        status = __main__.run([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return command
