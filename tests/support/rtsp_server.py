"""A real RTSP server (GStreamer's), as a program of its own: see `rtsp.py` beside this file.

Run by the system's Python, which has GStreamer's bindings. Listens on loopback, serves a clip in
real time, from its start for each client, and prints a line for each request.
"""

import argparse
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

CLIP = "filesrc location={} ! qtdemux ! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96"
SOUND = "audiotestsrc is-live=true ! audioconvert ! rtpL16pay name=pay0 pt=96"
METHODS = {"basic": GstRtsp.RTSPAuthMethod.BASIC, "digest": GstRtsp.RTSPAuthMethod.DIGEST}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", default="0")
    parser.add_argument("--clip", required=True)
    parser.add_argument("--method", choices=METHODS)
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    order = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service(order.port)
    mounts = server.get_mount_points()
    mounts.add_factory("/clip", factory(CLIP.format(order.clip), order))
    mounts.add_factory("/sound", factory(SOUND, order))
    if order.method:
        server.set_auth(auth(order))
    server.connect("client-connected", watch)
    if not server.attach(None):
        sys.exit("cannot listen at port " + order.port)
    say("ready", server.get_bound_port())
    loop = GLib.MainLoop()
    # Standard input ends with the test run, however that ends.
    GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_HUP, lambda *_: loop.quit())
    loop.run()


def factory(launch: str, order: argparse.Namespace) -> GstRtspServer.RTSPMediaFactory:
    made = GstRtspServer.RTSPMediaFactory.new()
    made.set_launch(f"( {launch} )")
    if order.method:
        permissions = GstRtspServer.RTSPPermissions.new()
        for right in ("access", "construct"):
            permissions.add_permission_for_role("viewer", f"media.factory.{right}", True)
        made.set_permissions(permissions)
    return made


def auth(order: argparse.Namespace) -> GstRtspServer.RTSPAuth:
    made = GstRtspServer.RTSPAuth.new()
    token = GstRtspServer.RTSPToken.new()
    token.set_string("media.factory.role", "viewer")
    made.set_supported_methods(METHODS[order.method])
    if order.method == "basic":
        made.add_basic(GstRtspServer.RTSPAuth.make_basic(order.user, order.password), token)
    else:
        made.add_digest(order.user, order.password, token)
    return made


def watch(_server: GstRtspServer.RTSPServer, client: GstRtspServer.RTSPClient) -> None:
    client.connect("describe-request", lambda _, context: say("describe", query(context.uri)))
    client.connect("closed", lambda _: say("closed"))


def query(uri: GstRtsp.RTSPUrl) -> str:
    return uri.get_request_uri()


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
