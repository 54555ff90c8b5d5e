"""What a tutorial would write: read a record, decode it, ask the model, next. Offsets are committed by the client.

No account, no results published, no evidence, one frame at a time.
"""

import asyncio
from typing import Any

import click
import cv2
import numpy as np
from aiokafka import AIOKafkaConsumer

from bench.harness import contender
from bench.harness.contender import Meter, Result
from bench.peers.model import ASK, first, use_threads, yolo


async def consume(model: Any, bootstrap: str, topic: str, meter: Meter) -> Result:
    """Until the meter has enough; an empty topic ends it, too."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=f"tutorial-{id(meter)}", auto_offset_reset="earliest"
    )
    found = frames = 0
    await consumer.start()
    try:
        while True:
            record = await asyncio.wait_for(consumer.getone(), timeout=20)
            picture = cv2.imdecode(np.frombuffer(record.value, np.uint8), cv2.IMREAD_COLOR)
            result = model(picture, **ASK)[0]
            frames += 1
            found += len(result.boxes)
            if not meter.add(1):
                break
    finally:
        await consumer.stop()
    return meter.result(detections_a_frame=round(found / frames, 3))


@click.command()
@click.option("--model", type=click.Choice(["pt", "same"]), required=True)
@click.option("--bootstrap", required=True)
@click.option("--topic", required=True)
@click.option("--threads", type=int, default=0, help="0: as ultralytics sets them.")
@click.option("--warm", type=float, default=2.0)
@click.option("--span", type=float, required=True)
def main(**given: Any) -> None:
    meter = Meter(given["warm"], given["span"])
    with yolo(given["model"]) as model:
        first(model)
        use_threads(given["threads"])
        contender.tell(asyncio.run(consume(model, given["bootstrap"], given["topic"], meter)))


if __name__ == "__main__":
    main()
