"""Every detector keeps the same promises: the fake one, torch, OpenVINO and ONNX, with and without an NMS-free head."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from andon.errors import ConfigError, FatalError
from andon.pictures.picture import Bgr
from andon.settings import PoolSettings
from sample_streams.dataset import sample
from tests.detectors import DEMO_WEIGHTS, FakeDetector, grey, on_host
from workers.detector import Detections, Detector, Picture
from workers.runtimes.cache import ENDINGS, Exporter, Format
from workers.runtimes.choice import load
from workers.runtimes.export import check, disagreement
from workers.runtimes.openvino import import_openvino
from workers.runtimes.ultralytics_model import import_ultralytics, open_weights

MARKED = range(900, 912)
"""Seeds of pictures that the demo model was not trained on; it sees flaws in some of them."""
REAL = ("torch", "openvino", "onnx")
ON_GPU = ("cuda", "tensorrt")
"""`cuda`: torch."""
EXPORTED: tuple[Format, ...] = ("openvino", "onnx")
SERVED = "the tasks that are served are detect, segment, pose and obb"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def older_weights(cache: Path) -> Path:
    """The demo model without its NMS-free head: what YOLO weights looked like before YOLO26."""
    yolo = import_ultralytics(cache).YOLO(str(DEMO_WEIGHTS))
    head = yolo.model.model[-1]
    head.end2end = False
    for branch in ("one2one_cv2", "one2one_cv3"):
        delattr(head, branch)
    path = cache / "older.pt"
    yolo.save(str(path))
    return path


def real(runtime: str, weights: Path, cache: Path, batch: int = 4) -> Detector:
    device = "cuda:0" if runtime in ON_GPU else "cpu"
    served = "torch" if runtime == "cuda" else runtime
    model = {"weights": str(weights), "runtime": served, "cache": str(cache), "device": device}
    return load(PoolSettings.model_validate({"model": model, "batch": {"size": batch}}), "default")


@pytest.fixture(scope="module", params=["fake", *REAL, *(f"{runtime}-older" for runtime in REAL), *ON_GPU])
def detector(request: pytest.FixtureRequest, cache: Path) -> Detector:
    runtime, _, older = str(request.param).partition("-")
    if runtime == "fake":
        return FakeDetector()
    if runtime in ON_GPU and not torch.cuda.is_available():
        pytest.skip("it takes an NVIDIA GPU and a torch with CUDA")
    if runtime == "tensorrt" and find_spec("tensorrt") is None:
        pytest.skip("an engine takes `pip install tensorrt`")
    weights = request.getfixturevalue("older_weights") if older else DEMO_WEIGHTS
    return real(runtime, weights, cache)


@pytest.fixture(scope="module")
def pictures() -> list[Bgr]:
    """Of four sizes, in no order."""
    drawn = [sample(seed)[0] for seed in MARKED]
    drawn[1] = np.ascontiguousarray(np.rot90(drawn[1]))
    drawn[4] = np.ascontiguousarray(drawn[4][:333, :517])
    drawn[7] = np.ascontiguousarray(drawn[7][::2, ::2])
    drawn.append(grey(0, (1080, 1920)))
    return drawn


def same(one: Detections, other: Detections) -> bool:
    return disagreement(one, other) == ""


def test_a_warm_up_comes_before_the_first_batch_and_the_model_describes_itself(detector: Detector) -> None:
    detector.warm_up()
    assert len(detector.info.digest) == 64
    assert detector.info.classes
    assert detector.info.imgsz > 0


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 9])
def test_there_are_as_many_results_as_pictures(detector: Detector, pictures: list[Bgr], count: int) -> None:
    assert len(detector.detect(pictures[:count])) == count


def test_results_come_in_the_order_of_the_pictures(detector: Detector, pictures: list[Bgr]) -> None:
    together = detector.detect(pictures)
    backwards = detector.detect(pictures[::-1])[::-1]
    alone = [detector.detect([picture])[0] for picture in pictures]
    assert all(same(one, other) for one, other in zip(together, alone, strict=True))
    assert all(same(one, other) for one, other in zip(together, backwards, strict=True))
    assert len({tuple(np.round(found.boxes.ravel())) for found in together}) > 2, "they differ, so order can be seen"


def test_batches_that_it_is_given_at_once_do_not_meet(detector: Detector, pictures: list[Bgr]) -> None:
    alone = [detector.detect([picture])[0] for picture in pictures]
    with ThreadPoolExecutor(detector.info.at_once) as threads:
        turns = [pictures[shift:] + pictures[:shift] for shift in range(6)]
        batches = list(threads.map(detector.detect, turns))
    for shift, batch in enumerate(batches):
        assert all(same(one, other) for one, other in zip(batch, alone[shift:] + alone[:shift], strict=True))


def test_boxes_lie_inside_their_picture_and_classes_have_names(detector: Detector, pictures: list[Bgr]) -> None:
    for picture, found in zip(pictures, detector.detect(pictures), strict=True):
        height, width = picture.shape[:2]
        assert found.boxes.shape == (len(found.confidences), 4)
        assert found.boxes.dtype == np.float32
        assert (found.boxes >= 0).all()
        assert (found.boxes <= [width, height, width, height]).all()
        assert (found.boxes[:, :2] < found.boxes[:, 2:]).all()
        assert ((found.confidences >= 0) & (found.confidences <= 1)).all()
        assert (np.diff(found.confidences) <= 0).all()
        assert set(found.classes.tolist()) <= set(range(len(detector.info.classes)))


def test_pictures_are_neither_kept_nor_changed(detector: Detector, pictures: list[Bgr]) -> None:
    before = pictures[2].copy()
    first = detector.detect([pictures[2]])[0]
    assert (pictures[2] == before).all()
    detector.detect([grey(255, (480, 640))])
    assert same(first, detector.detect([before])[0])
    assert first.boxes.base is None or first.boxes.base.flags.owndata


def test_pictures_on_its_card_are_as_those_on_the_host(detector: Detector, pictures: list[Bgr]) -> None:
    """The card is the host's memory where there is none. Batches hold both, since a JPEG is decoded on the host."""
    if detector.info.runtime in EXPORTED:
        with pytest.raises(TypeError, match=f"{detector.info.runtime} takes pictures from the host only"):
            detector.detect([torch.from_numpy(pictures[0])])
        return
    device = "cpu" if detector.info.card is None else f"cuda:{detector.info.card}"
    mixed: list[Picture] = [
        each if index % 3 == 0 else torch.from_numpy(each).to(device) for index, each in enumerate(pictures)
    ]
    before = [on_host(each).copy() for each in mixed]
    detections = detector.detect(mixed)
    assert [disagreement(one, other) for one, other in zip(detector.detect(pictures), detections, strict=True)] == [
        ""
    ] * 13
    assert all((on_host(each) == kept).all() for each, kept in zip(mixed, before, strict=True))


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("runtime", EXPORTED)
def test_an_export_gives_the_detections_of_torch(
    request: pytest.FixtureRequest, cache: Path, pictures: list[Bgr], runtime: str, older: bool
) -> None:
    weights = request.getfixturevalue("older_weights") if older else DEMO_WEIGHTS
    ours = real("torch", weights, cache).detect(pictures)
    theirs = real(runtime, weights, cache).detect(pictures)
    assert [disagreement(one, other) for one, other in zip(ours, theirs, strict=True)] == [""] * len(pictures)
    assert sum(len(found.boxes) for found in ours) > 5, "the demo model sees something to agree on"


def test_all_say_the_same_of_the_model(cache: Path) -> None:
    infos = [real(runtime, DEMO_WEIGHTS, cache).info for runtime in REAL]
    assert len({(info.digest, info.imgsz, info.classes) for info in infos}) == 1
    assert [info.runtime for info in infos] == list(REAL)


@pytest.mark.parametrize("runtime", EXPORTED)
def test_an_export_is_made_once_and_then_read_from_the_cache(cache: Path, runtime: str) -> None:
    export = export_of_demo(cache, runtime)
    made_at = export.stat().st_mtime_ns
    real(runtime, DEMO_WEIGHTS, cache)
    assert export.stat().st_mtime_ns == made_at
    assert not list(cache.glob("export-*")), "nothing half made is left"


@pytest.mark.parametrize("runtime", EXPORTED)
def test_an_export_is_served_as_it_is(cache: Path, pictures: list[Bgr], runtime: str) -> None:
    export = export_of_demo(cache, runtime)
    served = real("auto", export, cache)
    assert served.info.runtime == runtime
    assert served.info.digest != _digest_of(DEMO_WEIGHTS), "it is its own source"
    ours = real(runtime, DEMO_WEIGHTS, cache).detect(pictures)
    assert all(same(one, other) for one, other in zip(ours, served.detect(pictures), strict=True))


@pytest.mark.filterwarnings("ignore")  # ultralytics' exporter, elsewhere in a process of its own
@pytest.mark.parametrize("runtime", EXPORTED)
def test_an_export_for_one_shape_only_is_served_in_that_shape(cache: Path, pictures: list[Bgr], runtime: str) -> None:
    yolo = import_ultralytics(cache).YOLO(str(DEMO_WEIGHTS))
    yolo.save(str(cache / "fixed.pt"))
    import_openvino()
    copy = import_ultralytics(cache).YOLO(str(cache / "fixed.pt"))
    export = Path(copy.export(format=runtime, dynamic=False, nms=False, imgsz=320, batch=3))
    ours = real("torch", DEMO_WEIGHTS, cache).detect(pictures)
    theirs = real(runtime, export, cache, batch=5).detect(pictures)
    agreeing = [same(one, other) for one, other in zip(ours, theirs, strict=True)]
    assert agreeing.count(True) >= len(pictures) - 2, "more padding moves a confidence a little"


@pytest.mark.parametrize(
    ("runtime", "task"),
    [(runtime, "nothing") for runtime in REAL if runtime != "openvino"]
    + [(runtime, "classify") for runtime in REAL if runtime != "onnx"],
    # openvino and onnx read the file in the same process of the exporter, which takes 5 s
)
def test_a_file_that_is_no_model_of_a_served_task_is_refused_in_one_line(
    cache: Path, tmp_path: Path, runtime: str, task: str
) -> None:
    path = tmp_path / "other.pt"
    if task == "classify":
        import_ultralytics(cache).YOLO("yolo26n-cls.yaml").save(str(path))
    else:
        path.write_bytes(b"no model at all")
    with pytest.raises(ConfigError) as caught:
        real(runtime, path, cache)
    message = str(caught.value)
    assert message.startswith(f"pools.default.model.weights: {path}: ")
    assert "\n" not in message
    assert (f"a classify (Classify) model; {SERVED}" in message) == (task == "classify")


@pytest.mark.parametrize("runtime", EXPORTED)
def test_an_export_that_differs_from_its_source_is_refused(cache: Path, runtime: Format) -> None:
    export = export_of_demo(cache, runtime)
    opened = open_weights(DEMO_WEIGHTS, cache, "weights")
    check(opened, export, "weights", runtime)
    for scale in opened.model.model[-1].one2one_cv3:
        scale[-1].bias.data.add_(2.0)
    with pytest.raises(FatalError, match=f"weights: the {runtime} export differs from its source"):
        check(opened, export, "weights", runtime)


def test_workers_that_start_at_once_make_one_export_between_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports: list[Sequence[str]] = []
    run = Exporter.run

    def count(exporter: Exporter, arguments: Sequence[str], named: str) -> None:
        exports.append(arguments)
        run(exporter, arguments, named)

    monkeypatch.setattr(Exporter, "run", count)
    with ThreadPoolExecutor(3) as starting:
        detectors = list(starting.map(lambda _: real("openvino", DEMO_WEIGHTS, tmp_path), range(3)))
    assert len(exports) == 1
    assert all(len(detector.detect([grey(0)])) == 1 for detector in detectors)


def test_loading_and_exporting_a_model_opens_no_connection(tmp_path: Path) -> None:
    """Holds for every child process too: a process that tries to connect writes its stack to a file."""
    (tmp_path / "sitecustomize.py").write_text(OFFLINE)
    attempts = tmp_path / "attempts"
    script = (
        "import pathlib, tests.conformance.test_detector as t\n"
        f"[t.real(runtime, t.DEMO_WEIGHTS, pathlib.Path({str(tmp_path)!r})) for runtime in {(*EXPORTED, 'torch')}]"
    )
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}", "ATTEMPTS": str(attempts)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=150)
    assert not attempts.exists(), attempts.read_text()


OFFLINE = """
import os, socket, traceback
def refuse(*arguments, **options):
    with open(os.environ["ATTEMPTS"], "a") as file:
        file.write("".join(traceback.format_stack()))
    raise OSError("a line has no internet")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
"""


@pytest.mark.filterwarnings("ignore")  # ultralytics' exporter
def test_an_onnx_file_of_another_task_is_refused_in_one_line(cache: Path, tmp_path: Path) -> None:
    import_ultralytics(cache).YOLO("yolo26n-cls.yaml").save(str(tmp_path / "other.pt"))
    export = import_ultralytics(cache).YOLO(str(tmp_path / "other.pt")).export(format="onnx", imgsz=32, simplify=False)
    with pytest.raises(ConfigError) as caught:
        real("onnx", Path(export), cache)
    assert str(caught.value) == f"pools.default.model.weights: {export}: a classify (Classify) model; {SERVED}"


def test_an_onnx_file_is_served_without_torch_and_ultralytics(cache: Path) -> None:
    export = export_of_demo(cache, "onnx")
    script = (
        "import sys, pathlib, numpy\n"
        "sys.modules |= dict.fromkeys(('torch', 'torchvision', 'ultralytics', 'openvino', 'onnx', 'yaml'))\n"
        "from andon.settings import PoolSettings\n"
        "from workers.runtimes.choice import load\n"
        f"model = {{'weights': {str(export)!r}, 'device': 'cpu'}}\n"
        "served = load(PoolSettings.model_validate({'model': model}), 'default')\n"
        "assert len(served.detect([numpy.zeros((480, 640, 3), numpy.uint8)])) == 1\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], check=True, timeout=150)


def export_of_demo(cache: Path, runtime: str) -> Path:
    real(runtime, DEMO_WEIGHTS, cache)
    exports = cache.glob(f"*{ENDINGS['onnx' if runtime == 'onnx' else 'openvino']}")
    (path,) = (path for path in exports if path.name.startswith(_digest_of(DEMO_WEIGHTS)[:16]))
    return path


def _digest_of(weights: Path) -> str:
    return hashlib.sha256(weights.read_bytes()).hexdigest()
