"""Cameras and frames that are published straight into the topic."""

from collections import Counter

import cv2
import numpy as np
from aiokafka.partitioner import DefaultPartitioner

from andon.messages import Frame
from andon.wire import decode
from bench.harness.synthetic_frames import Feed, named, partition_of, pictures, spread
from tests.fakes import MemoryPublisher


def test_cameras_that_are_spread_share_the_partitions_evenly() -> None:
    shares = Counter(partition_of(camera_id, 24) for camera_id in spread(48, 24))
    assert set(shares.values()) == {2}
    assert len(shares) == 24


def test_a_number_of_cameras_that_does_not_divide_is_off_by_one_at_most() -> None:
    shares = Counter(partition_of(camera_id, 4) for camera_id in spread(10, 4))
    assert sorted(shares.values()) == [2, 2, 3, 3]


def test_a_camera_is_where_the_client_puts_it() -> None:
    partitions = list(range(24))
    for camera_id in named(100):
        assert partition_of(camera_id, 24) == DefaultPartitioner()(camera_id.encode(), partitions, partitions)


async def test_cameras_take_turns_and_each_counts_its_own_frames() -> None:
    publisher = MemoryPublisher()
    feed = Feed(publisher, "frames", ["a", "b"])
    await feed.send(5)
    await feed.settled()
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


def test_the_pictures_are_small_and_whole() -> None:
    payloads = pictures(3)
    assert len(set(payloads)) == 3
    for payload in payloads:
        picture = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.shape == (120, 160, 3)
        assert len(payload) < 10_000
