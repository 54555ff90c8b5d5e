from collections.abc import Iterator
from pathlib import Path

import pytest

from andon.settings import KafkaSettings, RedisSettings
from tests.e2e.line import Line


@pytest.fixture
def line(tmp_path: Path, broker: KafkaSettings, valkey: RedisSettings, model_cache: Path) -> Iterator[Line]:
    with Line(tmp_path, broker, valkey, model_cache) as line:
        yield line
