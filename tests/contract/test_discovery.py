"""Cameras found by WS-Discovery: a real responder in a process of its own, over this machine's own network."""

import subprocess
import sys
from collections.abc import Iterator

import ifaddr
import pytest
from typer.testing import CliRunner

from streamer.camera_commands import app
from streamer.discovery import FoundCamera, discover

SERVICE = "http://192.0.2.77/onvif/device_service"
RESPONDER = f"""
import sys
from wsdiscovery import QName, Scope
from wsdiscovery.publishing import ThreadedWSPublishing

responder = ThreadedWSPublishing()
responder.start()
scopes = ["onvif://www.onvif.org/name/Gate%20Cam", "onvif://www.onvif.org/hardware/X1"]
responder.publishService(
    types=[QName("http://www.onvif.org/ver10/network/wsdl", "NetworkVideoTransmitter")],
    scopes=[Scope(scope) for scope in scopes],
    xAddrs=["{SERVICE}"],
)
responder.publishService(
    types=[QName("http://printers.example", "Printer")], scopes=[], xAddrs=["http://192.0.2.78/print"]
)
print("ready", flush=True)
sys.stdin.read()
"""
TRIES = 6  # a multicast may be lost, above all where the machine is busy


@pytest.fixture(scope="module")
def responder() -> Iterator[None]:
    addresses = [str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]
    if all(address.startswith("127.") for address in addresses):
        pytest.skip("this machine has no network but the loopback, which discovery leaves out")
    process = subprocess.Popen(
        [sys.executable, "-c", RESPONDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    yield
    process.kill()
    process.communicate()


def test_a_camera_that_answers_is_found_and_a_printer_is_not(responder: None):
    found: list[FoundCamera] = []
    for attempt in range(TRIES):
        found = [camera for camera in discover(2.0 + attempt) if camera.host.startswith("192.0.2.7")]
        if found:
            break
    assert found == [FoundCamera("192.0.2.77", SERVICE, "Gate Cam", "X1")]


def test_the_command_shows_it(responder: None):
    said = ""
    for attempt in range(TRIES):
        said = CliRunner().invoke(app, ["discover", "--timeout-s", str(2 + attempt)]).output
        if SERVICE in said:
            break
    assert f"192.0.2.77\tGate Cam\tX1\t{SERVICE}" in said.splitlines()
