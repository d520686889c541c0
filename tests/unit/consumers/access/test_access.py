"""Users, sessions, tokens and the log, in a real database."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consumers.access.access import Access
from consumers.access.identity import THIS_MACHINE, Identity
from consumers.access.roles import Role
from consumers.access.throttle import FREE_TRIES
from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import ApiTokenRecord, SessionRecord, UserRecord
from consumers.errors import AccessError, DeskError, SignInRefusedError
from tests.builders_access import PASSWORD, enter_user, session_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Hours:
    """A clock of both kinds that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def wall(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return (self.now - NOON).total_seconds()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskDatabase]:
    desk = DeskDatabase(f"sqlite:///{tmp_path / 'desk.sqlite3'}")
    yield desk
    desk.close()


@pytest.fixture
def clock() -> Hours:
    return Hours()


@pytest.fixture
def access(desk: DeskDatabase, clock: Hours) -> Access:
    return Access(desk, now=clock.wall, monotonic=clock.monotonic)


def test_as_long_as_there_is_no_user_everybody_is_this_machine(access: Access):
    assert access.identify(None, None) == THIS_MACHINE
    assert access.identify("an old cookie", None) == THIS_MACHINE
    assert not access.has_users()


def test_from_the_first_user_on_nobody_is_anybody_without_a_secret(access: Access):
    access.add_user("anna", Role.OFFICER, PASSWORD, by="test")
    assert access.identify(None, None) is None
    assert access.identify("", "") is None
    assert access.identify("an invented cookie", None) is None
    assert access.identify(session_of(access, "anna"), None) == Identity("anna", Role.OFFICER, "session")


def test_a_password_that_is_wrong_and_a_name_that_is_none_are_refused_alike(desk: DeskDatabase, access: Access):
    enter_user(desk, "anna", Role.VIEWER)
    for name, password in [("anna", "three words together"), ("nobody", PASSWORD), ("anna", ""), ("", PASSWORD)]:
        with pytest.raises(SignInRefusedError, match="do not go together"):
            access.sign_in(name, password, "10.0.0.1")


def test_guessing_is_slowed_down_even_for_the_right_password(desk: DeskDatabase, access: Access, clock: Hours):
    enter_user(desk, "anna", Role.VIEWER)
    for _ in range(FREE_TRIES):
        with pytest.raises(SignInRefusedError):
            access.sign_in("anna", "a wrong one", "10.0.0.1")
    with pytest.raises(SignInRefusedError, match="Wait 2 s") as refused:
        access.sign_in("anna", PASSWORD, "10.0.0.1")
    clock.now += timedelta(seconds=refused.value.retry_after_s)
    assert access.sign_in("anna", PASSWORD, "10.0.0.1")


def test_of_many_guesses_at_once_no_more_are_tried_than_one_after_another(
    desk: DeskDatabase, access: Access, clock: Hours
):
    enter_user(desk, "anna", Role.VIEWER)

    def wait_s(number: int) -> float:
        with pytest.raises(SignInRefusedError) as refused:
            access.sign_in("anna", f"guess {number}", "10.0.0.1")
        return refused.value.retry_after_s

    with ThreadPoolExecutor(16) as guessing:
        assert sorted(guessing.map(wait_s, range(16))) == [0] * FREE_TRIES + [2] * (16 - FREE_TRIES)
        clock.now += timedelta(seconds=2)
        assert sorted(guessing.map(wait_s, range(16))) == [0] + [4] * 15


def test_a_session_ends_after_a_shift_at_signing_out_and_when_the_user_is_disabled_or_has_another_password(
    desk: DeskDatabase, access: Access, clock: Hours
):
    enter_user(desk, "anna", Role.OFFICER)
    first = session_of(access, "anna")
    clock.now += timedelta(hours=12)
    assert access.identify(first, None) is None
    second = session_of(access, "anna")
    access.sign_out(second)
    assert access.identify(second, None) is None
    third = session_of(access, "anna")
    access.change_password("anna", "another three words", by="test")
    assert access.identify(third, None) is None
    fourth = access.sign_in("anna", "another three words", "")
    access.disable_user("anna", by="test")
    assert access.identify(fourth, None) is None
    with pytest.raises(SignInRefusedError):
        access.sign_in("anna", "another three words", "")
    assert access.identify(None, None) is None  # a house whose only user is disabled is closed, not open


def test_a_token_is_at_most_as_strong_as_its_user_and_opens_nothing_once_revoked(desk: DeskDatabase, access: Access):
    enter_user(desk, "anna", Role.OFFICER)
    enter_user(desk, "root", Role.ADMIN)
    with pytest.raises(AccessError, match="cannot be admin"):
        access.add_token("anna", "export", Role.ADMIN, by="test")
    secret = access.add_token("anna", "export", Role.OFFICER, by="test")
    assert access.identify(None, secret) == Identity("anna", Role.OFFICER, "token")
    access.change_role("anna", Role.ANALYST, by="test")
    assert access.identify(None, secret) == Identity("anna", Role.ANALYST, "token")
    (token,) = access.tokens()
    assert token.last_used_at == NOON
    access.revoke_token(token.id, by="test")
    assert access.identify(None, secret) is None


def test_no_secret_can_be_read_in_the_database(desk: DeskDatabase, access: Access, tmp_path: Path):
    access.add_user("anna", Role.OFFICER, PASSWORD, by="test")
    session, token = session_of(access, "anna"), access.add_token("anna", "export", Role.VIEWER, by="test")
    with desk.reading() as reading:
        assert reading.query(UserRecord).one().password_hash.startswith("$argon2id$")
        assert reading.query(SessionRecord).one().token_hash != session
        assert reading.query(ApiTokenRecord).one().token_hash != token
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert all(secret.encode() not in written for secret in (PASSWORD, session, token))


def test_the_last_admin_stays(desk: DeskDatabase, access: Access):
    enter_user(desk, "root", Role.ADMIN)
    enter_user(desk, "anna", Role.OFFICER)
    for act in (
        lambda: access.disable_user("root", by="test"),
        lambda: access.change_role("root", Role.VIEWER, by="test"),
    ):
        with pytest.raises(AccessError, match="only admin"):
            act()
    access.change_role("anna", Role.ADMIN, by="test")
    access.disable_user("root", by="test")
    assert [(user.name, user.role, user.is_disabled) for user in access.users()] == [
        ("anna", Role.ADMIN, False),
        ("root", Role.ADMIN, True),
    ]


@pytest.mark.parametrize(
    ("name", "password", "why"),
    [
        ("anna", "short", "10 to 512 characters"),
        ("anna", "x" * 513, "10 to 512 characters"),
        ("annabelle-lee", "Annabelle-Lee", "must not be the name"),
        ("", PASSWORD, "no user name"),
        ("this machine", PASSWORD, "no user name"),
        ("a\nb", PASSWORD, "no user name"),
        ("x" * 65, PASSWORD, "no user name"),
    ],
)
def test_a_user_who_cannot_be_is_refused_with_the_reason(access: Access, name: str, password: str, why: str):
    with pytest.raises(AccessError, match=why):
        access.add_user(name, Role.VIEWER, password, by="test")
    assert not access.has_users()


def test_who_did_what_is_logged_and_nobody_can_rewrite_it(desk: DeskDatabase, access: Access):
    access.add_user("anna", Role.OFFICER, PASSWORD, by="command line (ops)")
    session_of(access, "anna")
    access.log("anna", "search", "orange vest", camera="gate")
    assert [(e.who, e.action, e.subject, dict(e.details)) for e in access.entries(9)] == [
        ("anna", "search", "orange vest", {"camera": "gate"}),
        ("anna", "sign-in", "127.0.0.1", {}),
        ("command line (ops)", "user added", "anna", {"role": "officer"}),
    ]
    assert [entry.action for entry in access.entries(9, who="anna")] == ["search", "sign-in"]
    for statement in ("UPDATE audit SET who = 'nobody'", "DELETE FROM audit"):
        with pytest.raises(DeskError, match="only ever added to"), desk.writing() as session:
            session.connection().exec_driver_sql(statement)
    assert len(access.entries(9)) == 3
