"""Everything `operations` raises on purpose.

* OperationsError          the base of all
  * ChildFailedError       a child process refused to start
  * TracingError           traces are wanted, and OpenTelemetry is not installed
  * SchemaVersionError     a database that a newer program has brought further
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


class SchemaVersionError(OperationsError):
    """A database that a newer program has brought further than this one knows."""

    def __init__(self, database: str, found: str, known: str) -> None:
        super().__init__(database, found, known)
        self.database, self.found, self.known = database, found, known

    def __str__(self) -> str:
        return (
            f"the database {self.database} has version {self.found}, and this program knows {self.known}; "
            "install the Crewsight that was last used with it, or a newer one"
        )


class TracingError(OperationsError):
    """Traces are wanted, and OpenTelemetry is not installed."""

    def __init__(self, otlp_url: str) -> None:
        super().__init__(otlp_url)
        self.otlp_url = otlp_url

    def __str__(self) -> str:
        return (
            f"traces.otlp_url is {self.otlp_url}, and OpenTelemetry is not installed; "
            "install crewsight[otel], or empty traces.otlp_url"
        )
