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
RESPONDER = r"""
import re, socket, struct, sys, uuid

MATCH = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/'
    'addressing" xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:t="{space}"><s:Header>'
    '<a:MessageID>urn:uuid:{message}</a:MessageID><a:RelatesTo>{asked}</a:RelatesTo><a:To>http://schemas.xmlsoap.org/'
    'ws/2004/08/addressing/role/anonymous</a:To><a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches'
    '</a:Action><d:AppSequence InstanceId="1" MessageNumber="1"/></s:Header><s:Body><d:ProbeMatches><d:ProbeMatch>'
    '<a:EndpointReference><a:Address>urn:uuid:{device}</a:Address></a:EndpointReference><d:Types>t:{kind}</d:Types>'
    '<d:Scopes>{scopes}</d:Scopes><d:XAddrs>{address}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion>'
    '</d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>'
)
SCOPES = "onvif://www.onvif.org/name/Gate%20Cam onvif://www.onvif.org/hardware/X1"
DEVICES = [
    ("http://www.onvif.org/ver10/network/wsdl", "NetworkVideoTransmitter", SCOPES, sys.argv[1]),
    ("http://printers.example", "Printer", "", "http://192.0.2.78/print"),
]
listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listening.bind(("", 3702))
for address in sys.argv[2:]:
    group = struct.pack("4s4s", socket.inet_aton("239.255.255.250"), socket.inet_aton(address))
    listening.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
print("ready", flush=True)
while True:
    probe, asker = listening.recvfrom(65536)
    asked = re.search(rb"MessageID[^>]*>([^<]+)<", probe)
    if b"NetworkVideoTransmitter" not in probe or asked is None:
        continue
    for space, kind, scopes, address in DEVICES:
        said = MATCH.format(
            space=space, kind=kind, scopes=scopes, address=address, asked=asked[1].decode(), message=uuid.uuid4(),
            device=uuid.uuid5(uuid.NAMESPACE_URL, address),
        )
        listening.sendto(said.encode(), asker)
"""
TRIES = 6  # a multicast may be lost, above all where the machine is busy


@pytest.fixture(scope="module")
def responder() -> Iterator[None]:
    addresses = [str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]
    own = [address for address in addresses if not address.startswith("127.")]
    if not own:
        pytest.skip("this machine has no network but the loopback, which discovery leaves out")
    process = subprocess.Popen([sys.executable, "-c", RESPONDER, SERVICE, *own], stdout=subprocess.PIPE)
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
