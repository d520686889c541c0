"""Everything `operations` raises on purpose.

* OperationsError          the base of all
  * ChildFailedError       a child process refused to start
"""


class OperationsError(Exception):
    """The base of everything `operations` raises on purpose."""


class ChildFailedError(OperationsError):
    """A child process refused to start."""

    def __init__(self, name: str, last_line: str) -> None:
        super().__init__(name, last_line)  # every argument, or it cannot cross a process boundary
        self.name, self.last_line = name, last_line

    def __str__(self) -> str:
        return f"{self.name} cannot start: {self.last_line.removeprefix('crewsight: ')}"
