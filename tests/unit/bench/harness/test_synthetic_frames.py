"""Camera ids, and frames that are published straight into the topic."""

from collections import Counter

import cv2
import numpy as np

from andon.messages import Frame
from andon.stream.publisher import partition_of
from andon.wire import decode
from bench.harness.synthetic_frames import FrameFeed, evenly_placed, pictures
from tests.fakes import MemoryPublisher


def test_evenly_placed_cameras_share_the_partitions_evenly() -> None:
    shares = Counter(partition_of(camera_id.encode(), 24) for camera_id in evenly_placed(48, 24))
    assert set(shares.values()) == {2}
    assert len(shares) == 24


def test_shares_differ_by_one_at_most_if_the_cameras_do_not_divide_evenly() -> None:
    shares = Counter(partition_of(camera_id.encode(), 4) for camera_id in evenly_placed(10, 4))
    assert sorted(shares.values()) == [2, 2, 3, 3]


async def test_cameras_take_turns_and_each_counts_its_own_frames() -> None:
    publisher = MemoryPublisher()
    feed = FrameFeed(publisher, "frames", ["a", "b"])
    await feed.send(5)
    await feed.flush()
    frames = [decode(record) for record in publisher.topics["frames"]]
    assert all(isinstance(frame, Frame) for frame in frames)
    assert [(frame.camera_id, frame.seq) for frame in frames if isinstance(frame, Frame)] == [
        ("a", 0),
        ("b", 0),
        ("a", 1),
        ("b", 1),
        ("a", 2),
    ]
    assert feed.by_camera == {"a": 3, "b": 2}


def test_the_pictures_are_small_and_can_be_decoded() -> None:
    payloads = pictures(3)
    assert len(set(payloads)) == 3
    for payload in payloads:
        picture = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.shape == (120, 160, 3)
        assert len(payload) < 10_000
