from pathlib import Path

import av
import pytest

from streamer.live.segmenter import LiveVideo, Segmenter
from tests.builders_video import make_video, numbers_in


@pytest.mark.parametrize(("codec", "pix_fmt"), [("libx264", "yuv420p"), ("mjpeg", "yuvj420p")])
def test_a_stream_that_is_encoded_anew_goes_on_to_be_so_after_a_break(tmp_path: Path, codec: str, pix_fmt: str) -> None:
    source = make_video(
        tmp_path / "rare.mkv", frame_count=120, codec=codec, pix_fmt=pix_fmt, keyframe_every=30, container="matroska"
    )
    stretches: list[list[LiveVideo]] = []
    reasons: list[str] = []
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        for stretch in (packets[:60], packets[60:]):
            segmenter = Segmenter(
                stream, tmp_path, target_s=1.0, longest_gop_s=1.5, frame_ticks=100, say_encoding=reasons.append
            )
            stretches.append([video for packet in stretch for video in segmenter.add(packet)])
            stretches[-1] += segmenter.finish()
    assert len(reasons) == 2
    assert [[number for video in videos for number in numbers_in(video.path)] for videos in stretches] == [
        list(range(60)),
        list(range(60, 120)),
    ]
