"""The clips that are shipped, against the truth beside them and the lines that they were made from."""

from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import pytest

from sample_streams.clips import CLIPS, FOLDER, truth_path, write
from sample_streams.line import in_view, plan
from sample_streams.render import LineRenderer
from sample_streams.spec import DEFECTS, SIZES, LineSpec
from sample_streams.truth import clip_truth, load

NAMES = list(CLIPS)


def clip(name: str) -> Path:
    return FOLDER / f"{name}.mp4"


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_has_the_frames_and_the_size_that_its_truth_says(name: str) -> None:
    truth = load(truth_path(clip(name)))
    with av.open(str(clip(name))) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (truth.width_px, truth.height_px)
        assert stream.average_rate == Fraction(truth.fps)
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert sum(1 for packet in container.demux(stream) if packet.size) == truth.n_frames == len(truth.frames)


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_s_truth_is_that_of_its_line(name: str) -> None:
    assert load(truth_path(clip(name))) == clip_truth(CLIPS[name])


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_has_a_keyframe_each_second_and_its_pictures_in_order(name: str) -> None:
    with av.open(str(clip(name))) as container:
        packets = [p for p in container.demux(video=0) if p.size]
    fps = CLIPS[name].fps
    assert [i for i, packet in enumerate(packets) if packet.is_keyframe] == list(range(0, len(packets), fps))
    assert all(packet.pts == packet.dts for packet in packets)


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_shows_what_its_line_draws(name: str) -> None:
    wanted, camera = 30, LineRenderer(CLIPS[name])
    with av.open(str(clip(name))) as container:
        shown = next(islice(container.decode(video=0), wanted, None))
    error = abs(shown.to_ndarray(format="bgr24").astype(int) - camera.frame(wanted))
    assert error.mean() < 5


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_has_four_to_six_defects_in_view_for_30_to_60_frames(name: str) -> None:
    defects = load(truth_path(clip(name))).defects
    assert 4 <= len(defects) <= 6
    for defect in defects:
        assert defect.first_frame is not None
        assert defect.last_frame is not None
        assert 30 <= defect.last_frame - defect.first_frame + 1 <= 60


def test_the_clips_together_show_every_class_and_size_and_most_parts_are_good() -> None:
    parts = [part for name in NAMES for part in load(truth_path(clip(name))).parts]
    defects = [defect for part in parts for defect in part.defects]
    assert {defect.defect_class for defect in defects} == set(DEFECTS)
    assert {defect.size for defect in defects} == set(SIZES)
    assert {part.kind for part in parts} == {"bracket", "flange"}
    assert 0.75 <= sum(1 for part in parts if not part.defects) / len(parts) <= 0.85
    assert any(len(part.defects) == 2 for part in parts)


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_begins_and_ends_with_an_empty_belt(name: str) -> None:
    spec = CLIPS[name]
    edges = [*range(8), *range(spec.n_frames - 8, spec.n_frames)]
    assert not any(in_view(plan(spec), index) for index in edges)


def test_the_clips_are_small_enough_to_be_kept() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 6_000_000


def test_writing_a_clip_writes_its_truth_beside_it(tmp_path: Path) -> None:
    spec = replace(LineSpec(seed=1), n_frames=4)
    path = write(tmp_path / "short.mp4", spec)
    assert load(tmp_path / "short.truth.json").n_frames == 4
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 4
