"""The message while a topic can't be read yet, and how the line's topics are made."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError

from andon.errors import FatalError
from andon.events import Retrying, silent
from andon.settings import KafkaSettings, Settings
from andon.stream import topics
from andon.stream.topics import ensure_topics, partition_counts, topic_there
from tests.fakes import RecordedEvents

NO_TIME = KafkaSettings(start_timeout_s=0.001)


class ScriptedClient:
    """Answers each question for the topics with the next of `answers`."""

    def __init__(self, *answers: set[str] | KafkaError) -> None:
        self._answers = list(answers)

    async def topics(self) -> set[str]:
        answer = self._answers.pop(0)
        if isinstance(answer, KafkaError):
            raise answer
        return answer


class Refusing:
    """An admin client whose every request the broker refuses."""

    async def describe_topics(self, _topics: object) -> None:
        raise KafkaError("not authorized")

    async def list_topics(self) -> None:
        raise KafkaError("not authorized")


class SlowToHear:
    """An admin client whose broker lists a topic only at the second look after its creation."""

    def __init__(self) -> None:
        self.created: set[str] = set()
        self.looks = 0

    async def list_topics(self) -> set[str]:
        self.looks += bool(self.created)
        return self.created if self.looks > 1 else set()

    async def create_topics(self, new: list[NewTopic]) -> Any:
        self.created = {topic.name for topic in new}
        return SimpleNamespace(topic_errors=[(name, 0, None) for name in self.created])


@asynccontextmanager
async def refusing(*_: object) -> AsyncIterator[Refusing]:
    yield Refusing()


async def test_a_refused_look_at_the_topics_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "started", refusing)
    with pytest.raises(FatalError, match=r"^Kafka at 127.* does not describe the topics: .*not authorized$"):
        await partition_counts(["frames"], KafkaSettings(), silent)
    with pytest.raises(FatalError, match=r"^Kafka at 127.* does not create the topics: .*not authorized$"):
        await ensure_topics(Settings(), silent)


async def test_topics_are_created_when_the_broker_lists_them(monkeypatch: pytest.MonkeyPatch) -> None:
    client = use(SlowToHear(), monkeypatch)
    assert set(await ensure_topics(Settings(), silent)) == client.created
    assert client.looks == 2


async def test_who_may_create_topics_and_not_see_them_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "KNOWN_WITHIN_S", 0.01)
    client = use(SlowToHear(), monkeypatch)
    client.looks = -(10**9)
    assert set(await ensure_topics(Settings(), silent)) == client.created


def use(client: SlowToHear, monkeypatch: pytest.MonkeyPatch) -> SlowToHear:
    @asynccontextmanager
    async def started(*_: object) -> AsyncIterator[SlowToHear]:
        yield client

    monkeypatch.setattr(topics, "started", started)
    monkeypatch.setattr(topics, "KNOWN_POLL_S", 0.0)
    return client


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "TOPIC_POLL_S", 0.0)


async def test_a_broker_that_goes_away_while_a_topic_is_awaited_is_asked_again() -> None:
    events = RecordedEvents()
    client: Any = ScriptedClient(KafkaError("Unable to get cluster metadata"), set(), {"frames"})
    await topic_there(client, "frames", KafkaSettings(), events)
    errors = [event.error for event in events.of(Retrying)]
    assert errors == [
        "can't be looked up at 127.0.0.1:9092: KafkaError: Unable to get cluster metadata",
        "is missing at 127.0.0.1:9092: `andon topics create` makes it",
    ]


@pytest.mark.parametrize("answer", [set(), KafkaError("away")], ids=["missing", "away"])
async def test_a_topic_that_never_comes_ends_with_one_line(
    answer: set[str] | KafkaError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "TOPIC_POLL_S", 0.01)
    client: Any = ScriptedClient(*[answer] * 2)
    with pytest.raises(FatalError, match=r"^the topic frames .* at 127\.0\.0\.1:9092: ") as error:
        await topic_there(client, "frames", NO_TIME, RecordedEvents())
    assert "\n" not in str(error.value)
