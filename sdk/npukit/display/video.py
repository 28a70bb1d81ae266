"""An .mp4 file through PyAV: H.264, fed with NV21 as it is."""

from __future__ import annotations

from typing import ClassVar, Dict

from npukit.display._encoder import Encoder, has_h264
from npukit.display._file import VideoFileSink
from npukit.frame import Nv21Frame


class VideoSink(VideoFileSink):
    """`video:FILE.mp4`, or a path that ends in .mp4, .mov or .m4v.

    Written as FILE.part.mp4 in fragments, so that a killed run leaves a playable part;
    renamed to FILE.mp4 once complete.
    """

    suffixes = (".mp4", ".mov", ".m4v")
    format = "mp4"
    options: ClassVar[Dict[str, str]] = {
        # Fragments while it is written, an ordinary file in the end; the colour also in its header.
        "movflags": "hybrid_fragmented+write_colr",
        "frag_duration": "1000000",  # microseconds: a killed run loses the last second or two
        "flush_packets": "1",
    }

    def _make_encoder(self, frame: Nv21Frame) -> Encoder:
        h264 = has_h264()
        if not h264:
            self.notices.append("no H.264 encoder in PyAV: MPEG-4 Part 2 is written instead")
        return Encoder(self._container, frame, mpeg4=not h264)
