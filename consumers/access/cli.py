"""The commands of whoever says who may use the desk: `user …`, `token …`, `audit`."""

import getpass
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumers.access.roles import Role
from consumers.errors import AccessError
from consumers.settings import DeskSettings, PageSettings
from operations.listing import Listing
from operations.options import Config

if TYPE_CHECKING:
    from consumers.access.access import Access

users = typer.Typer(help="Who can sign in at the desk.", no_args_is_help=True)
tokens = typer.Typer(help="What machines sign in with.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file", help="File whose first line is the password; default: ask, or read standard input."
    ),
]


@users.command("add")
def add_user(
    name: Name,
    role: Annotated[Role, typer.Option("--role", help="What the user may do.")],
    password_file: PasswordFile = None,
    is_first: Annotated[
        bool,
        typer.Option("--first", help="Do nothing where somebody can sign in already."),
    ] = False,
    config: Config = None,
) -> None:
    """Let somebody sign in; from the first user on, everybody has to."""
    access = _access(config)
    if is_first:
        added = access.add_first_user(name, role, _password(password_file), by=operator())
        typer.echo(f"{name} can sign in as {role}." if added else "There are users already; nothing is changed.")
        return
    access.check_free(name)  # before anybody types a password
    access.add_user(name, role, _password(password_file), by=operator())
    typer.echo(f"{name} can sign in as {role}.")


@users.command("list")
def list_users(config: Config = None) -> None:
    """Everybody who can sign in, or could once."""
    listing = Listing("name", "role", "state", "since")
    for user in _access(config).users():
        state = "disabled" if user.is_disabled else "active"
        listing.add(user.name, user.role, state, f"{user.created_at.astimezone():%Y-%m-%d %H:%M}")
    listing.show("Nobody yet: the page is open to this machine and to no other.")


@users.command("disable")
def disable_user(name: Name, config: Config = None) -> None:
    """Let somebody in no longer; their sessions and tokens end at once."""
    _access(config).disable_user(name, by=operator())
    typer.echo(f"{name} can no longer sign in.")


@users.command("enable")
def enable_user(name: Name, config: Config = None) -> None:
    """Let somebody in again."""
    _access(config).enable_user(name, by=operator())
    typer.echo(f"{name} can sign in again.")


@users.command("role")
def change_role(name: Name, role: Annotated[Role, typer.Argument(help="The new role.")], config: Config = None) -> None:
    """Change what somebody may do."""
    _access(config).change_role(name, role, by=operator())
    typer.echo(f"{name} is {role} now.")


@users.command("passwd")
def change_password(name: Name, password_file: PasswordFile = None, config: Config = None) -> None:
    """Change somebody's password; their sessions end."""
    access = _access(config)
    access.user(name)  # before anybody types a password
    access.change_password(name, _password(password_file), by=operator())
    typer.echo(f"The password of {name} is changed.")


@tokens.command("add")
def add_token(
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose token it is.")],
    label: Annotated[str, typer.Option("--label", help="What it is for.")],
    role: Annotated[Role | None, typer.Option("--role", help="At most the user's; default: viewer.")] = None,
    config: Config = None,
) -> None:
    """Make a token and print it, this once: `Authorization: Bearer TOKEN`."""
    typer.echo(_access(config).add_token(user, label, role or Role.VIEWER, by=operator()))


@tokens.command("list")
def list_tokens(config: Config = None) -> None:
    """Every token, never its secret."""
    listing = Listing("id", "user", "role", "label", "since", "state")
    for token in _access(config).tokens():
        state = f"revoked {token.revoked_at.astimezone():%Y-%m-%d %H:%M}" if token.revoked_at else "active"
        since = f"{token.created_at.astimezone():%Y-%m-%d %H:%M}"
        listing.add(str(token.id), token.user, token.role, token.label, since, state)
    listing.show("There is no token.")


@tokens.command("revoke")
def revoke_token(
    token: Annotated[int, typer.Argument(metavar="ID", help="Its id in `crewsight token list`.")],
    config: Config = None,
) -> None:
    """Let a token open nothing any more."""
    _access(config).revoke_token(token, by=operator())
    typer.echo(f"Token {token} is revoked.")


def audit(
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=100_000, help="Lines at most.")] = 50,
    who: Annotated[str | None, typer.Option("--who", help="Only what this user did.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for machines.")] = False,
    config: Config = None,
) -> None:
    """Show what was done at the desk and by whom, newest first."""
    listing = Listing("time", "who", "action", "subject", "details")
    for entry in _access(config).entries(count, who=who):
        if as_json:
            told = {"at": entry.at.isoformat(), "who": entry.who, "action": entry.action, "subject": entry.subject}
            typer.echo(json.dumps({**told, "details": entry.details}, ensure_ascii=False))
            continue
        details = ", ".join(f"{name}: {told}" for name, told in entry.details.items())
        listing.add(f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}", entry.who, entry.action, entry.subject, details)
    if not as_json:
        listing.show("Nothing is logged yet.")


def note(settings: DeskSettings, action: str, subject: str) -> None:
    """Write what was done at the command line into the audit log."""
    from consumers.access.access import Access
    from consumers.alerts.desk_database import DeskDatabase

    Access(DeskDatabase(settings.desk_url)).log(operator(), action, subject)


def _access(config: Path | None) -> "Access":
    from consumers.access.access import Access
    from consumers.alerts.desk_database import DeskDatabase

    return Access(DeskDatabase(PageSettings.read(config).desk_url))


def _password(file: Path | None) -> str:
    """The password, from a file's first line, from standard input, or asked for twice.

    Raises:
        AccessError: the file cannot be read, or the two differ.
    """
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise AccessError(f"cannot read the password file {file}: {error}") from error
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise AccessError("the two passwords differ; nothing is changed")
    return password


def operator() -> str:
    """Who is at the command line, for the log."""
    try:
        return f"command line ({getpass.getuser()})"
    except (KeyError, OSError):  # a container's user may have no name
        return f"command line (uid {os.getuid()})"
