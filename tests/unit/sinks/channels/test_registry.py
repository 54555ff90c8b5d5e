"""A channel of another package is found, checked and opened like the line's own; a mistake is one line."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from click.testing import CliRunner

from andon.cli import main
from andon.config import load
from andon.errors import ConfigError
from andon.settings import ExtensionChannelSettings, RedisChannelSettings, Settings
from sinks.channels import registry
from tests import lamp
from tests.outbox import an_item

ROOT = Path(__file__).parents[4]


@pytest.fixture
def lamp_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the package of `tests.lamp` in a folder on sys.path."""
    lamp.install(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")


@pytest.fixture
def line(tmp_path: Path) -> Path:
    return tmp_path / "line.yaml"


def check(line: Path, text: str) -> str:
    line.write_text(text)
    return CliRunner().invoke(main, ["config", "check", "-c", str(line)]).output


def test_redis_and_kafka_are_the_types_that_the_line_brings() -> None:
    assert sorted(registry.registered()) == ["kafka", "redis"]
    for name in registry.registered():
        assert registry.channel_type("plc", name).settings.model_fields["type"].default == name


@pytest.mark.usefixtures("lamp_package")
def test_a_type_of_another_package_has_the_settings_that_the_package_says(line: Path) -> None:
    line.write_text("sinks: {channels: {hall-2: {type: lamp, file: lamp.txt, max_age_s: 5, password: hunter2}}}")
    given = load(line, {}).sinks.channels["hall-2"]
    settings = registry.channel_settings("hall-2", given, registry.channel_type("hall-2", "lamp"))
    assert isinstance(settings, lamp.LampSettings)
    assert (settings.file, settings.max_age_s) == (Path("lamp.txt"), 5.0)
    assert "hunter2" not in repr(given)
    assert "hunter2" not in repr(settings)


@pytest.mark.usefixtures("lamp_package")
@pytest.mark.parametrize(
    ("channel", "complaint"),
    [
        ("{type: lamp}", "sinks.channels.hall-2.file: Field required"),
        ("{type: lamp, fil: x}", "sinks.channels.hall-2.fil: no such key; did you mean `file`?"),
        ("{type: lamp, file: x, passwort: hunter2}", "passwort: no such key; did you mean `password`?"),
        ("{type: lamp, file: x, max_age_s: 0}", "sinks.channels.hall-2.max_age_s: Input should be greater than 0"),
        ("{type: lamb, file: x}", "no channel type 'lamb' (there are kafka, lamp, redis): did you mean `lamp`?"),
        ("{type: pager}", "no channel type 'pager' (there are kafka, lamp, redis): is its package installed?"),
    ],
)
def test_a_mistake_in_a_channel_of_another_package_is_one_line(line: Path, channel: str, complaint: str) -> None:
    output = check(line, f"sinks: {{channels: {{hall-2: {channel}}}}}")
    assert complaint in output
    assert output.count("\n") == 1
    assert "hunter2" not in output


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("lamp = andon_no_such_module:LAMP", "can't be loaded: No module named 'andon_no_such_module'"),
        ("lamp = tests.lamp:Lamp", "tests.lamp:Lamp of 'lamp' is no ChannelType"),
    ],
)
def test_a_package_that_is_broken_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, complaint: str
) -> None:
    lamp.install(tmp_path / "site", entry)
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(ConfigError, match=r"^sinks\.channels\.hall-2\.type: ") as caught:
        registry.channel_type("hall-2", "lamp")
    assert complaint in str(caught.value)


async def test_the_example_of_the_page_on_alerts_is_a_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n# my_lamp.py\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (toml,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (entry,) = [line for line in toml.splitlines() if "=" in line]
    examples = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    lamp.install(tmp_path / "site", entry.replace('"', ""))
    (tmp_path / "site" / "my_lamp.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path / "site")
    for example in examples:
        registry.check(Settings.model_validate(yaml.safe_load(example)))
    kind = registry.channel_type("hall-1", "lamp")
    settings = kind.settings.model_validate({"file": tmp_path / "hall-1"})
    context = registry.ChannelContext("hall-1", Settings(), *cast(Any, [None] * 4))
    async with kind.open(settings, context) as channel:
        await channel.send(an_item(1))
    assert (tmp_path / "hall-1").read_text() == an_item(1).event_id + "\n"


def test_two_channels_of_one_type_stand_side_by_side() -> None:
    given = {"day": {"type": "lamp", "file": "a"}, "night": {"type": "lamp", "file": "b"}, "plc": {"type": "redis"}}
    channels = Settings.model_validate({"sinks": {"channels": given}}).sinks.channels
    assert [type(channel) for channel in channels.values()] == [
        ExtensionChannelSettings,
        ExtensionChannelSettings,
        RedisChannelSettings,
    ]


def test_an_installed_package_is_found_by_a_process_that_starts(tmp_path: Path, line: Path) -> None:
    lamp.install(tmp_path / "site")
    line.write_text("sinks: {channels: {hall-2: {type: lamp, file: lamp.txt}}}")
    command = [sys.executable, "-m", "andon", "config", "check", "-c", str(line)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_former_list_of_alerts_is_read_and_said_to_be_outdated(line: Path) -> None:
    output = check(line, "sinks: {alerts: [kafka]}")
    assert "sinks.alerts is outdated: write sinks.channels: {kafka: {type: kafka}}" in output
    assert "ok, 0 cameras" in output
    assert list(load(line, {}).sinks.channels) == ["kafka"]


def test_the_present_way_gives_no_warning(line: Path) -> None:
    assert "outdated" not in check(line, "sinks: {channels: {kafka: {type: kafka}}}")


@pytest.mark.parametrize(
    ("sinks", "complaint"),
    [
        ("{channels: {plc: {type: redis, max_age: 3}}}", "plc.max_age: no such key; did you mean `max_age_s`?"),
        ("{channels: {plc: {max_age_s: 3}}}", "sinks.channels.plc.type: Field required"),
        ("{channels: {evidence: {type: redis}}}", "sinks.channels: 'evidence' is reserved"),
        ("{alerts: [sms]}", "sinks.alerts.0: Input should be 'redis' or 'kafka'"),
        ("{alerts: [redis], channels: {}}", "sinks: alerts is the former way to write channels: remove alerts"),
    ],
)
def test_a_mistake_in_the_channels_is_one_line_with_the_key(line: Path, sinks: str, complaint: str) -> None:
    output = check(line, f"sinks: {sinks}")
    assert complaint in output
    assert output.count("\n") == 1
