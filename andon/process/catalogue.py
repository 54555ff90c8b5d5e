"""Every metric of the line: name, unit, labels and meaning, once."""

from dataclasses import dataclass
from typing import Literal

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LATENCY = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = _FAST


METRICS: tuple[Metric, ...] = (
    # ingest
    Metric("andon_ingest_frames_captured_total", "counter", "Frames that the camera delivered", ("camera",)),
    Metric("andon_ingest_frames_published_total", "counter", "Frames that the broker acknowledged", ("camera",)),
    Metric("andon_ingest_frames_shed_total", "counter", "Frames given up before the broker", ("camera", "reason")),
    Metric(
        "andon_ingest_frames_corrupt_total",
        "counter",
        "Frames whose picture was damaged or lost on its way",
        ("camera",),
    ),
    Metric(
        "andon_ingest_frames_too_large_total",
        "counter",
        "Frames that went on without their picture because their topic takes none of its size",
        ("camera",),
    ),
    Metric(
        "andon_ingest_frames_with_gap_total",
        "counter",
        "Frames of video that lack data in them or before them: lost packets, or pictures that the camera left out",
        ("camera",),
    ),
    Metric("andon_ingest_encode_seconds", "histogram", "Crop, resize and JPEG encoding of one frame"),
    Metric("andon_ingest_publish_seconds", "histogram", "From the mailbox to the broker's acknowledgement"),
    Metric(
        "andon_ingest_capture_failures_total",
        "counter",
        "Errors in the capture of this camera that nobody foresaw",
        ("camera",),
    ),
    Metric("andon_ingest_mailbox_depth_frames", "gauge", "Encoded frames that wait for the broker", ("camera",)),
    Metric("andon_ingest_mailbox_capacity_frames", "gauge", "The mailbox's bound", ("camera",)),
    Metric("andon_ingest_camera_online", "gauge", "1 while the camera delivers frames", ("camera",)),
    Metric(
        "andon_ingest_camera_unhealthy",
        "gauge",
        "1 while the camera's pictures are no basis for a verdict",
        ("camera", "reason"),
    ),
    Metric("andon_ingest_camera_fps_hertz", "gauge", "Frames a second over the last seconds", ("camera",)),
    Metric("andon_ingest_spool_depth_records", "gauge", "Records on disk that wait for the broker", ("camera",)),
    Metric("andon_ingest_spool_size_bytes", "gauge", "Size of the spool on disk", ("camera",)),
    Metric("andon_ingest_spool_capacity_bytes", "gauge", "The spool's bound", ("camera",)),
    Metric("andon_ingest_spool_age_seconds", "gauge", "Approximate age of the oldest frame on disk", ("camera",)),
    Metric("andon_ingest_spool_full", "gauge", "1 while the spool is full or its disk takes no writes", ("camera",)),
    Metric("andon_ingest_spool_failures_total", "counter", "Times that the spool became full or failed", ("camera",)),
    Metric("andon_ingest_spool_damages_total", "counter", "Parts of the spool that could not be read", ("camera",)),
    Metric(
        "andon_ingest_stalled_seconds",
        "gauge",
        "Time for which the broker has acknowledged no frame of a camera that should deliver; 0 while it does",
        ("camera",),
    ),
    # every role
    Metric(
        "andon_process_info",
        "gauge",
        "1: says which role and version the process is, for `process_cpu_seconds_total` and the like",
        ("role", "version"),
    ),
    Metric(
        "andon_clock_offset_seconds",
        "gauge",
        "How far this host's clock is ahead of a broker's, as far as it is proven; below 0: behind",
        ("peer",),
    ),
    Metric("andon_traces_spans_sent_total", "counter", "Spans that the collector has taken"),
    Metric("andon_traces_spans_dropped_total", "counter", "Spans that nobody got: the collector is away or too slow"),
    # stage: workers and sinks
    Metric(
        "andon_stage_stalled_seconds",
        "gauge",
        "Time for which no record was done although some wait, or the broker did not answer; 0 while all is well",
        ("stage",),
    ),
    Metric("andon_stage_records_total", "counter", "Records taken from Kafka", ("stage",)),
    Metric("andon_stage_records_done_total", "counter", "Records whose results are durable", ("stage",)),
    Metric("andon_stage_in_flight_records", "gauge", "Records that are taken and not yet done", ("stage",)),
    Metric("andon_stage_in_flight_capacity_records", "gauge", "The bound of the records in flight", ("stage",)),
    Metric("andon_stage_lag_records", "gauge", "Records behind the end of the partition", ("stage", "partition")),
    Metric("andon_stage_lag_seconds", "gauge", "Age of the record read last, while behind", ("stage", "partition")),
    Metric("andon_stage_paused_seconds_total", "counter", "Time that partitions were held back", ("stage",)),
    Metric(
        "andon_stage_service_to_arrival_ratio",
        "gauge",
        "Records done per record arrived; below 1 the lag grows",
        ("stage",),
    ),
    Metric(
        "andon_stage_commits_refused_total",
        "counter",
        "Commits refused because another member owns the partition",
        ("stage",),
    ),
    Metric("andon_stage_records_expired_total", "counter", "Records that retention removed unread", ("stage",)),
    Metric(
        "andon_kafka_records_cut_total",
        "counter",
        "Records that this process had sent or read, and that went when the broker lost the end of a log",
        ("stage",),
    ),
    Metric(
        "andon_kafka_producers_replaced_total",
        "counter",
        "Producers that the broker refused for good, and that were replaced",
    ),
    # workers
    Metric("andon_workers_frames_inspected_total", "counter", "Frames that went through the model", ("camera",)),
    Metric("andon_workers_frames_shed_total", "counter", "Frames given up as stale", ("camera", "reason")),
    Metric(
        "andon_workers_stalled_seconds",
        "gauge",
        "Time for which every frame of the camera was shed or quarantined, and none inspected; 0 while some are",
        ("camera",),
    ),
    Metric("andon_stage_records_quarantined_total", "counter", "Records put into quarantine", ("camera", "reason")),
    Metric(
        "andon_workers_camera_refused",
        "gauge",
        "1 while more of the camera's records go to quarantine than worker.quarantine_limit",
        ("camera",),
    ),
    Metric("andon_workers_decode_seconds", "histogram", "Decoding of one picture"),
    Metric("andon_workers_batch_size_frames", "histogram", "Frames in a batch", (), _BATCH),
    Metric("andon_workers_batch_wait_seconds", "histogram", "From a batch's first frame to its closing"),
    Metric("andon_workers_inference_seconds", "histogram", "Inference of one batch", ("runtime",)),
    Metric(
        "andon_workers_capture_to_inspection_seconds",
        "histogram",
        "Capture to the broker's acknowledgement of the inspection",
        (),
        _LATENCY,
    ),
    Metric(
        "andon_workers_gpu_energy_joules_total",
        "counter",
        "This worker's share of the energy of its GPU; absent where NVML does not tell it",
        ("gpu",),
    ),
    # board
    Metric("andon_board_viewers", "gauge", "Open pages that get news"),
    Metric("andon_board_viewers_cut_off_total", "counter", "Open pages that took no news any more"),
    Metric("andon_board_news_total", "counter", "Messages to the open pages, each once for all of them", ("topic",)),
    Metric("andon_board_news_fault", "gauge", "1 while the board can't read this source of its news", ("source",)),
    Metric("andon_board_page_seconds", "histogram", "From a request to the first byte of its answer", ("page",)),
    Metric("andon_board_failures_total", "counter", "Pages that failed for a reason that nobody foresaw", ("page",)),
    Metric("andon_board_logins_refused_total", "counter", "Log-ins that failed"),
    # sinks
    Metric("andon_sinks_records_accounted_total", "counter", "Records that stand in the ledger"),
    Metric("andon_sinks_records_redelivered_total", "counter", "Records delivered again; they changed nothing"),
    Metric(
        "andon_sinks_captured_twice_total",
        "counter",
        "Frames that an ingester captured although another one had the camera already",
        ("camera",),
    ),
    Metric("andon_sinks_transaction_seconds", "histogram", "One batch's SQL transaction"),
    Metric(
        "andon_sinks_writes_refused_total", "counter", "Transactions refused because another sink owns the partition"
    ),
    Metric("andon_sinks_write_seconds", "histogram", "One write to Redis, evidence or an alert channel", ("channel",)),
    Metric("andon_sinks_write_failures_total", "counter", "Writes that failed and are retried", ("channel",)),
    Metric("andon_sinks_defects_total", "counter", "Defect events", ("camera", "transition")),
    Metric("andon_sinks_parts_total", "counter", "Verdicts on parts", ("camera", "verdict")),
    Metric("andon_sinks_alarms_total", "counter", "Steps of alarms", ("camera", "kind", "change")),
    Metric(
        "andon_sinks_alarms_standing",
        "gauge",
        "Alarms that are not normal, of the cameras for which this sink accounts",
        ("state", "severity"),
    ),
    Metric("andon_sinks_outbox_depth_records", "gauge", "Events that wait for their channel", ("channel",)),
    Metric("andon_sinks_outbox_given_up_total", "counter", "Events given up instead of sent", ("channel",)),
    Metric("andon_sinks_outbox_age_seconds", "gauge", "Age of the oldest waiting event", ("channel",)),
    Metric(
        "andon_sinks_stalled_seconds",
        "gauge",
        "Time for which nothing left by the channel although something waits; 0 while all is well",
        ("channel",),
    ),
    Metric(
        "andon_sinks_capture_to_alert_seconds",
        "histogram",
        "Capture of the frame that caused an alert to its channel's acknowledgement",
        (),
        _LATENCY,
    ),
)
