"""A consumer as a tutorial writes it: read a record, decode it, call the model, next. The client commits the offsets.

One frame at a time; it keeps no account, publishes no results and stores no evidence.
"""

import asyncio
from typing import Any

import click
import cv2
import numpy as np
from aiokafka import AIOKafkaConsumer

from bench.harness import contender
from bench.harness.contender import Meter, Throughput
from bench.peers.model import PREDICT_OPTIONS, use_threads, warm_up, yolo


async def consume(model: Any, bootstrap: str, topic: str, meter: Meter) -> Throughput:
    """Run until the meter has enough. Raises TimeoutError if the topic runs dry."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=f"tutorial-{id(meter)}", auto_offset_reset="earliest"
    )
    detections = frames = 0
    await consumer.start()
    try:
        while True:
            async with asyncio.timeout(20):
                record = await consumer.getone()
            picture = cv2.imdecode(np.frombuffer(record.value, np.uint8), cv2.IMREAD_COLOR)
            result = model(picture, **PREDICT_OPTIONS)[0]
            frames += 1
            detections += len(result.boxes)
            if not meter.add(1):
                break
    finally:
        await consumer.stop()
    return meter.result(detections_a_frame=round(detections / frames, 3))


@click.command()
@click.option("--model", type=click.Choice(["pt", "same"]), required=True)
@click.option("--bootstrap", required=True)
@click.option("--topic", required=True)
@click.option("--threads", type=int, default=0, help="0: ultralytics' own number.")
@click.option("--warm", type=float, default=2.0)
@click.option("--span", type=float, required=True)
def main(**given: Any) -> None:
    meter = Meter(given["warm"], given["span"])
    with yolo(given["model"]) as model:
        warm_up(model)
        use_threads(given["threads"])
        contender.emit(asyncio.run(consume(model, given["bootstrap"], given["topic"], meter)))


if __name__ == "__main__":
    main()
