"""Writes the dashboards for Grafana: `python -m deploy.grafana.dashboards` makes a JSON file of each.

Grafana imports the files, or reads them from a folder (provisioning); the viewer chooses the data source.
"""

from pathlib import Path

from grafana_foundation_sdk.builders import dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

from deploy.grafana.boards import BOARDS
from deploy.grafana.panel import GrafanaBoard, Panel

FOLDER = Path(__file__).parent
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH, HEIGHT = 12, 8
"""Of a panel, in Grafana's units: two in a row."""


def to_json(board: GrafanaBoard) -> str:
    """The dashboard as Grafana imports it."""
    built = dashboard.Dashboard(board.title).uid(f"andon-{board.name}").tags(["andon"]).readonly()
    built = (
        built.refresh("10s")
        .time("now-1h", "now")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    if board.by_camera:
        built = built.with_variable(
            dashboard.QueryVariable("camera")
            .label("Camera")
            .datasource(SOURCE)
            .query("label_values(andon_ingest_camera_online, camera)")
        )
    for panel in board.panels:
        built = built.with_panel(_panel(panel))
    return JSONEncoder(sort_keys=True, indent=1).encode(built.build()) + "\n"


def _panel(panel: Panel) -> timeseries.Panel:
    drawn = timeseries.Panel().title(panel.title).description(panel.about).unit(panel.unit).datasource(SOURCE)
    drawn = drawn.span(WIDTH).height(HEIGHT).min(0)
    for number, (legend, query) in enumerate(panel.queries.items()):
        drawn = drawn.with_target(
            prometheus.Dataquery().expr(query).legend_format(legend).ref_id(chr(ord("A") + number)).datasource(SOURCE)
        )
    return drawn


def files() -> dict[Path, str]:
    """Each file and its content."""
    return {FOLDER / f"{board.name}.json": to_json(board) for board in BOARDS}


if __name__ == "__main__":
    for file, content in files().items():
        file.write_text(content)
