"""Plants, costs and measured machines for the tests of sizing."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from deploy.sizing.costs import Resolution, published_costs, published_speed
from deploy.sizing.measured import (
    BatchFigures,
    BenchFigures,
    Encoding,
    LineFigures,
    MachineFigures,
    ModelFigures,
    PictureFigures,
)
from deploy.sizing.needs import Figure, Plant, needs

on_a_busy_machine = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
"""For properties: a machine that does something else, too, is no failure."""
VGA, HD = Resolution(640, 480), Resolution(1920, 1080)

PLANTS = st.builds(
    Plant,
    cameras=st.integers(1, 5_000),
    fps=st.floats(0.1, 60),
    resolution=st.builds(Resolution, st.integers(160, 4000), st.integers(120, 3000)),
    latency_s=st.floats(0.2, 60),
    retention_s=st.floats(60, 1e7),
    replication=st.integers(1, 5),
)


def figures(
    plant: Plant, model: str = "yolo26s", gpu: str = "t4", imgsz: int = 640, encoding: Encoding = "passthrough"
) -> dict[str, Figure]:
    """By their keys, from published numbers."""
    speed = published_speed(model, gpu, imgsz)
    assert speed is not None
    return {figure.key: figure for figure in needs(plant, published_costs(plant.resolution, encoding), speed)}


def machine(cores: int = 2, gpu: str = "") -> MachineFigures:
    return MachineFigures(
        processor="A processor", cores=cores, vector_units=("avx2",), memory_bytes=8_000_000_000, gpu=gpu, load=0.1
    )


def measured(**changed: Any) -> BenchFigures:
    """Two cores: as JPEG, pictures of 640x480 cost 4 ms in ingest and 1 in a worker, the model 5, and the processes 1
    each."""
    pictures = PictureFigures(
        width=640,
        height=480,
        jpeg_bytes=45_000,
        h264_bytes=6_000,
        h264_decode_ms=3.0,
        jpeg_encode_ms=1.0,
        jpeg_decode_ms=1.0,
        png_decode_ms=9,
    )
    batches = (
        BatchFigures(batch=1, ms=4.0, batch_ms=4.0, cpu_ms=6.0),
        BatchFigures(batch=8, ms=3.0, batch_ms=24.0, cpu_ms=5.0),
    )
    model = ModelFigures(
        weights="models/line.pt",
        runtime="openvino",
        device="CPU",
        precision="fp32",
        imgsz=320,
        window_ms=20,
        batches=batches,
    )
    line = LineFigures(
        cameras=4,
        fps=15,
        width=640,
        height=480,
        captured_per_s=60,
        frames_per_s=60,
        busy=0.5,
        cpu_ms={"ingest": 5.0, "workers": 7.0, "sinks": 1.0, "broker": 0.8, "redis": 0.2},
        p50_ms=60,
        p99_ms=120,
    )
    found = BenchFigures(machine=machine(), seconds=60, latency_s=1.0, pictures=(pictures,), model=model, line=line)
    return found.model_copy(update=changed)
