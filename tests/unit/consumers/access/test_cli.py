"""The commands `user`, `token` and `audit`, as somebody types them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumers.cli import app
from consumers.errors import AccessError
from tests.builders_access import PASSWORD


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Run":
    monkeypatch.setenv("CREWSIGHT_STATE__FOLDER", str(tmp_path / "state"))
    return Run()


class Run:
    """Runs commands over one desk."""

    def __call__(self, *words: str, typed: str = "") -> str:
        outcome = CliRunner().invoke(app, list(words), input=typed)
        if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
            raise outcome.exception
        assert outcome.exit_code == 0, outcome.output
        return outcome.output


def test_a_user_is_added_with_a_password_from_standard_input_or_a_file_and_is_listed(run: Run, tmp_path: Path):
    assert "Nobody yet" in run("user", "list")
    assert run("user", "add", "root", "--role", "admin", typed=f"{PASSWORD}\n") == "root can sign in as admin.\n"
    (tmp_path / "secret").write_text(f"{PASSWORD}\nsecond line\n")
    run("user", "add", "anna", "--role", "viewer", "--password-file", str(tmp_path / "secret"))
    run("user", "role", "anna", "officer")
    run("user", "disable", "anna")
    listed = [line.split()[:3] for line in run("user", "list").splitlines()[1:]]
    assert listed == [["anna", "officer", "disabled"], ["root", "admin", "active"]]
    with pytest.raises(AccessError, match="10 to 512 characters"):
        run("user", "passwd", "root", typed="short\n")
    with pytest.raises(AccessError, match="cannot read the password file"):
        run("user", "passwd", "root", "--password-file", str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["passwd", "nobody"], "there is no user nobody"),
        (["add", "root", "--role", "viewer"], "there is a user root already"),
        (["add", "a b", "--role", "viewer"], "is no user name"),
    ],
)
def test_a_name_that_will_not_do_is_refused_before_a_password_is_asked_for(run: Run, words: list[str], says: str):
    run("user", "add", "root", "--role", "admin", typed=f"{PASSWORD}\n")
    with pytest.raises(AccessError, match=says):
        run("user", *words, typed="short\n")  # would be refused, were it read


def test_a_token_is_printed_once_and_what_was_done_is_in_the_log(run: Run):
    run("user", "add", "root", "--role", "admin", typed=f"{PASSWORD}\n")
    secret = run("token", "add", "root", "--label", "export", "--role", "analyst").strip()
    assert secret.startswith("crewsight_")
    assert secret not in run("token", "list")
    run("token", "revoke", "1")
    assert "revoked" in run("token", "list")
    logged = [json.loads(line) for line in run("audit", "--json").splitlines()]
    assert [line["action"] for line in logged] == ["token revoked", "token added", "user added"]
    assert logged[0]["who"].startswith("command line (")
    with pytest.raises(AccessError, match="no token 9"):
        run("token", "revoke", "9")


def test_the_first_administrator_is_made_once_however_often_it_is_asked_for(run: Run, tmp_path: Path):
    (tmp_path / "secret").write_text(PASSWORD)
    first = ["user", "add", "root", "--role", "admin", "--first", "--password-file", str(tmp_path / "secret")]
    assert run(*first) == "root can sign in as admin.\n"
    run("user", "passwd", "root", typed=f"{PASSWORD} of today\n")
    assert run(*first) == "There are users already; nothing is changed.\n"
    assert len(run("user", "list").splitlines()) == 2
