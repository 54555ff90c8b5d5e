from pathlib import Path

from sample_streams import calibration, clips


def test_the_demo_brings_frames_of_each_clip_and_writes_them_once(tmp_path: Path) -> None:
    calibration.write(tmp_path / "cache")
    written = sorted(calibration.folder(tmp_path / "cache").iterdir())
    assert {path.name.rsplit("-", 1)[0] for path in written} == set(clips.CLIPS)
    assert len(written) > 100
    first = written[0].stat().st_mtime_ns
    calibration.write(tmp_path / "cache")
    assert written[0].stat().st_mtime_ns == first
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [calibration.folder(tmp_path).name]
