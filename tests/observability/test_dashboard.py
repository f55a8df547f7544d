"""Grafana's dashboard is well formed, and finds what it needs."""

import pytest
import yaml

from tests.deploy.known import read
from tests.observability import names

PANELS = names.panels()
UNITS = {"ops", "s", "short", "bytes", "reqps"}


def test_ids_are_unique_and_no_panel_covers_another():
    everything = names.dashboard()["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    taken = set()
    for panel in everything:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_data_source_is_a_variable_everywhere():
    dashboard = names.dashboard()
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    wanted = {"type": "prometheus", "uid": "${datasource}"}
    places = [
        variables["service"],
        *dashboard["annotations"]["list"],
        *PANELS,
        *(target for panel in PANELS for target in panel["targets"]),
    ]
    assert all(place["datasource"] == wanted for place in places)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows(panel):
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["targets"]
    # A fixed range would show gaps or stairs at other scrape intervals.
    assert all("[5m]" not in target["expr"] for target in panel["targets"])


def test_grafana_is_told_where_prometheus_and_the_dashboard_are():
    stack = yaml.safe_load(read("docker-compose.yml"))["services"]
    folder = "observability/grafana/provisioning"
    (source,) = yaml.safe_load(read(f"{folder}/datasources/prometheus.yml"))["datasources"]
    (provider,) = yaml.safe_load(read(f"{folder}/dashboards/orderapp.yml"))["providers"]

    assert source["url"] == "http://prometheus:9090"
    assert stack["prometheus"]["ports"][0].endswith(":9090")
    mounts = dict(volume.split(":")[:2] for volume in stack["grafana"]["volumes"])
    assert mounts["./observability/grafana/dashboards"] == provider["options"]["path"]
    home = stack["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/orderapp.json"
