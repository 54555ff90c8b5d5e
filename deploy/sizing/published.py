"""What others have published of models, GPUs and brokers, and what this project takes where nobody has: one table each.

Every number names its source. `andon bench` measures the user's own machine; what it measured is taken instead.
"""

from dataclasses import dataclass

ULTRALYTICS = "ultralytics' table of models, T4, TensorRT, batch 1 (docs.ultralytics.com/tasks/detect, /models/yolo11)"
ULTRALYTICS_CPU = "ultralytics' table of models, CPU, ONNX (docs.ultralytics.com/tasks/detect)"
RT_DETR = "RT-DETR's own table, T4, TensorRT FP16 (github.com/lyuwenyu/RT-DETR)"
DATA_SHEETS = "NVIDIA's data sheets: FP16 tensor TFLOPS without sparsity, and memory bandwidth"
KAFKA = (
    "Confluent, 2020: 605 MB/s on three brokers with three copies and two NVMe disks each; half of it is planned for"
    " (confluent.io/blog/kafka-fastest-messaging-system)"
)
KAFKA_DOCS = "Kafka's documentation: Java version, Hardware and OS (kafka.apache.org/documentation)"
PROJECT = "this project's own measurement, docs/performance.md"
PUBLISHED_IMGSZ = 640
"""Pixels of the model's input in all published tables."""


@dataclass(frozen=True, slots=True)
class ModelTimes:
    """Milliseconds a frame at PUBLISHED_IMGSZ."""

    t4_ms: float
    source: str = ULTRALYTICS
    cpu_ms: float | None = None
    """None: nobody has published it."""


MODELS = {
    "yolo26n": ModelTimes(1.7, cpu_ms=38.9),
    "yolo26s": ModelTimes(2.5, cpu_ms=87.2),
    "yolo26m": ModelTimes(4.7, cpu_ms=220.0),
    "yolo26l": ModelTimes(6.2, cpu_ms=286.2),
    "yolo26x": ModelTimes(11.8, cpu_ms=525.8),
    "yolo11n": ModelTimes(1.5, cpu_ms=56.1),
    "yolo11s": ModelTimes(2.5, cpu_ms=90.0),
    "yolo11m": ModelTimes(4.7, cpu_ms=183.2),
    "yolo11l": ModelTimes(6.2, cpu_ms=238.6),
    "yolo11x": ModelTimes(11.3, cpu_ms=462.8),
    "rtdetr-l": ModelTimes(1000 / 114, RT_DETR),
    "rtdetr-x": ModelTimes(1000 / 74, RT_DETR),
}


@dataclass(frozen=True, slots=True)
class Gpu:
    tflops: float
    """FP16 on tensor cores, without sparsity."""
    gb_per_s: float
    """Memory bandwidth."""
    memory_gb: float


GPUS = {
    "a2": Gpu(18, 200, 16),
    "t4": Gpu(65, 320, 16),
    "l4": Gpu(121, 300, 24),
    "a10": Gpu(125, 600, 24),
    "l40s": Gpu(362, 864, 48),
    "a100": Gpu(312, 1555, 40),
    "h100": Gpu(989, 3350, 80),
    "h200": Gpu(989, 4800, 141),
}
CPU = "cpu"
"""In place of a GPU: the model runs on the worker's processor."""


def times_t4(gpu: str) -> float:
    """How many times a T4's speed this GPU has, by the lesser of its two ratios: a small model waits for memory."""
    this, t4 = GPUS[gpu], GPUS["t4"]
    return min(this.tflops / t4.tflops, this.gb_per_s / t4.gb_per_s)


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU milliseconds of one core: for each frame, and for each megapixel of it."""

    frame_ms: float
    megapixel_ms: float


@dataclass(frozen=True, slots=True)
class Travel:
    """What it costs to bring a frame's picture to the model."""

    name: str
    ingest: Cost
    worker: Cost
    """Without the model."""
    bytes_a_pixel: float
    bytes_source: str


TRAVELS = {
    "passthrough": Travel("H.264 as the camera sends it", Cost(0.9, 0.1), Cost(1.3, 5.0), 0.02, "8 Mbit/s at 1080p25"),
    "jpeg": Travel("a JPEG", Cost(0.9, 7.5), Cost(1.3, 2.3), 0.12, "a JPEG of quality 90"),
}
"""By a camera's `encoding`. Ingest: capture and publishing; for JPEG also H.264 to BGR (5.0 a megapixel), encoding
(2.4) and checks of image health. Worker: fetching, decoding, batching and publishing. Source: PROJECT. Bytes are
assumed: as JPEG the demo's noisy 640x480 have 0.15 a pixel, the drawn 1080p 0.12, a quiet scene a third."""
SINKS = Cost(0.7, 0.0)
"""Source: PROJECT."""
INSPECTION_BYTES = 1_500
"""Assumed: an inspection with a few detections, headers included. It is read once, and stored."""

UTILIZATION = 0.7
"""The share of a processor's or a GPU's time that is planned for. `make bench` measures LATENCY_TIMES at this load."""
LATENCY_TIMES = 3.0
"""p99 from capture to inspection, in (batch window + inference of a batch), at UTILIZATION. Source: the aim of `make
bench`, which measured 2.4."""
LOOP_PER_S = 900.0
"""Frames a second that one process of Python carries, whatever its cores and its GPU. Source: PROJECT, 907 a second."""
BROKER_BYTES_PER_S = 300e6
"""Written by one broker, copies included: half of what KAFKA measured, since a broker that dies leaves its share."""
HOST_CORES = 16
"""Assumed: cores of a host for ingest."""
DISK_ROOM = 1.1
"""Kafka deletes whole segments, so a topic keeps more than its retention. Assumed: a tenth."""
SPOOL_S = 600.0
"""Assumed: seconds without a broker that the spool holds."""
PROCESS_BYTES = 400e6
"""Resident memory of an ingester or a sink, rounded up. Source: PROJECT."""
WORKER_BYTES = 2e9
"""Resident memory of a worker with its model and runtime, rounded up. Source: PROJECT."""
BROKER_BYTES = 6e9
"""Heap of a broker (-Xmx6g). Source: KAFKA_DOCS."""
CACHE_S = 30.0
"""Seconds of writes that a broker's page cache should hold, so that readers find them there. Source: KAFKA_DOCS."""
PARTITIONS = 24
"""The least: kafka.partitions by default."""
PARTITIONS_A_WORKER = 3
"""Cameras are spread over partitions by a hash, and workers share out whole partitions: more of them even that out."""
