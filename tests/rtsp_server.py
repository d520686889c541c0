"""A real RTSP server (GStreamer's) that plays prepared streams for ever, as cameras do.

Run by Debian's own Python, which has GStreamer's bindings: `/usr/bin/python3 rtsp_server.py '{"mounts": …}'`. It says
its port in one line. A stream is a file of access units, each behind its length and the number of the frame it shows
(4 bytes each, big endian; nothing is sent of an empty one), see `tests.builders_rtsp`. A file that is replaced is read
anew by whoever connects next.
"""

import json
import struct
import sys
import time
from pathlib import Path

import gi  # type: ignore[import-not-found,unused-ignore]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found,unused-ignore]  # noqa: E402

PUSH_EVERY_MS = 20
REORDERED = 2  # frames that may be shown later than they come


class Playing:
    """One stream on its way to those who watch it."""

    def __init__(self, appsrc, units, fps):
        self.appsrc, self.units, self.fps = appsrc, units, fps
        self.began_s, self.count, self.wanted = time.monotonic(), 0, True
        GLib.timeout_add(PUSH_EVERY_MS, self.push)

    def push(self):
        """Hand on every frame that is due; after a pause all that were missed, as a network does."""
        while self.wanted and (time.monotonic() - self.began_s) * self.fps >= self.count:
            unit, shown = self.units[self.count % len(self.units)]
            first = self.count // len(self.units) * len(self.units)
            self.count += 1
            if not unit:
                continue
            frame = Gst.Buffer.new_wrapped(unit)
            frame.dts = (self.count - 1) * Gst.SECOND // self.fps
            frame.pts = (first + shown + REORDERED) * Gst.SECOND // self.fps
            frame.duration = Gst.SECOND // self.fps
            self.wanted = self.appsrc.emit("push-buffer", frame) == Gst.FlowReturn.OK
        return self.wanted


class Mount(GstRtspServer.RTSPMediaFactory):
    """One address of the server."""

    def __init__(self, mount):
        super().__init__()
        self.mount = mount
        self.set_shared(True)
        codec = self.described()["codec"]
        self.set_launch(
            f"( appsrc name=source is-live=true format=time max-bytes=0 caps=video/x-{codec},stream-format=byte-stream,"
            f"alignment=au ! {codec}parse config-interval=-1 ! rtp{codec}pay name=pay0 pt=96 config-interval=-1 )"
        )
        self.connect("media-configure", self.configure)

    def described(self):
        return json.loads(Path(self.mount + ".json").read_text())

    def configure(self, factory, media):
        packed, position, units = Path(self.mount).read_bytes(), 0, []
        while position < len(packed):
            length, shown = struct.unpack_from(">II", packed, position)
            units.append((packed[position + 8 : position + 8 + length], shown))
            position += 8 + length
        playing = Playing(media.get_element().get_by_name("source"), units, self.described()["fps"])
        media.connect("unprepared", lambda media: setattr(playing, "wanted", False))


def main(wanted):
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(wanted.get("port", 0)))
    if wanted.get("password"):
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(wanted["user"], wanted["password"]), token)
        server.set_auth(auth)
    for name, mount in wanted["mounts"].items():
        factory = Mount(mount)
        if wanted.get("password"):
            permissions = GstRtspServer.RTSPPermissions()
            permissions.add_permission_for_role("viewer", "media.factory.access", True)
            permissions.add_permission_for_role("viewer", "media.factory.construct", True)
            factory.set_permissions(permissions)
        server.get_mount_points().add_factory(f"/{name}", factory)
    server.attach(None)
    GLib.timeout_add_seconds(5, lambda: server.get_session_pool().cleanup() is not None)
    sys.stdout.write(f"{server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
