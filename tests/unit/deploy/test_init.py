"""`andon init` writes a valid line.yaml."""

import re
from pathlib import Path

import yaml
from click.testing import CliRunner

from andon.cli import main
from andon.commands.init import TEMPLATE
from andon.config import load
from andon.settings import Settings


def test_the_file_that_init_writes_is_a_valid_line(tmp_path: Path) -> None:
    path = tmp_path / "lines" / "press.yaml"
    result = CliRunner().invoke(main, ["init", str(path)])
    assert result.exit_code == 0, result.output
    settings = load(path)
    assert [camera.id for camera in settings.cameras] == ["press-1"]
    assert settings.pools["default"].model.weights == "model.pt"


def test_the_template_names_no_server_so_that_up_brings_its_own(tmp_path: Path) -> None:
    settings = load(TEMPLATE)
    assert "bootstrap_servers" not in settings.kafka.model_fields_set
    assert "url" not in settings.redis.model_fields_set


def test_every_key_that_the_template_shows_in_a_comment_is_one() -> None:
    """Comments rot unseen: uncomment each line that shows a key and read the whole."""
    text = re.sub(r"^(\s*)# ", r"\1", TEMPLATE.read_text(), flags=re.MULTILINE)
    document = yaml.safe_load(text.replace("${", "$(").replace("<sha256>", "a" * 64))
    settings = Settings.model_validate(document)
    assert settings.kafka.replication == 3
    assert [camera.id for camera in settings.cameras] == ["press-1", "press-2"]
    assert settings.defects.classes["crack"].severity == "critical"


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "line.yaml"
    path.write_text("line: mine\n")
    refused = CliRunner().invoke(main, ["init", str(path)])
    assert refused.exit_code == 2
    assert "--force" in refused.output
    assert path.read_text() == "line: mine\n"
    assert CliRunner().invoke(main, ["init", str(path), "--force"]).exit_code == 0
    assert load(path).line == "line-1"
