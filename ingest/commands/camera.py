"""`andon camera`: find cameras, try them, and say which ones the line has."""

import click

from ingest.commands.camera_discovery import discover
from ingest.commands.camera_edits import add, disable, enable, remove, set_
from ingest.commands.camera_list import list_, show
from ingest.commands.camera_trial import test


@click.group()
def camera() -> None:
    """Find cameras, try them, and change them while the line runs.

    \b
    Example:
      andon camera discover
      andon camera test 'rtsp://viewer:${CAMERA_PASSWORD}@192.168.1.20/stream1'
      andon camera add 'rtsp://viewer:${CAMERA_PASSWORD}@192.168.1.20/stream1' --id press-7 --set fps=10
      andon camera list
    """


for command in (add, disable, discover, enable, list_, remove, set_, show, test):
    camera.add_command(command)
