"""The commands about a whole installation. Heavy imports wait until a command runs."""

import typer

import household.databases
import household.dead_letters
import household.retention
from household.doctor import doctor
from household.status import status

app = typer.Typer()
app.command()(status)
app.command()(doctor)
app.add_typer(household.dead_letters.app, name="dead-letters")
app.add_typer(household.databases.app, name="db")
app.add_typer(household.retention.app, name="retention")
