"""Links on which packets arrive late or not at all: the line goes on, and counts and alerts as on good ones."""

from pathlib import Path

from tests.faults.conftest import ReportRecovery
from tests.faults.hosts.farm import HOSTS, Farm
from tests.faults.hosts.network import WideArea
from tests.faults.recording import Recording

BAD = WideArea(delay_ms=200, loss_percent=5)
GOES_ON_S = 120.0


def degraded(farm: Farm, videos: dict[str, Path], recording: Recording, hosts: tuple[str, ...]) -> float:
    """Returns how many seconds 40 inspections took on the bad links."""
    farm.network.degrade(BAD, *hosts)
    took_s = farm.wait_inspected(farm.inspected() + 40, GOES_ON_S)
    farm.network.restore(*hosts)
    farm.finish_all()
    farm.wait_for_all(recording)
    return took_s


def test_the_link_of_the_broker_that_leads_is_bad(
    farm: Farm, recording: Recording, long_clips: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    farm.run_line(long_clips)
    report_recovery(degraded(farm, long_clips, recording, (farm.leader(),)), "40 inspections meanwhile")


def test_every_link_is_bad(
    farm: Farm, recording: Recording, long_clips: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    farm.run_line(long_clips)
    report_recovery(degraded(farm, long_clips, recording, HOSTS), "40 inspections meanwhile")
