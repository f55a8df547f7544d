"""Which metrics there are, by docs/metrics.md, and which ones an expression uses."""

import json
import re
from typing import Any

import yaml

from tests.deploy.known import read

#: The end of the names of a metric's samples, by its type.
SAMPLES = {
    "counter": ("",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}
#: Of every process, and what Prometheus itself adds.
PROCESS = {
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_open_fds",
    "python_gc_collections_total",
}
OF_PROMETHEUS = {"up", "ALERTS"}
#: Labels that a scrape adds, that of buckets, and those of alerts.
ADDED = {"job", "instance", "component", "le", "alertname", "alertstate"}

_KEYWORDS = {"and", "or", "unless", "bool", "offset", "by", "on", "without", "ignoring"}
_SELECTOR = re.compile(r"([A-Za-z_:][\w:]*)\s*\{([^{}]*)\}")
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^()]*)\)")


def documented() -> dict[str, tuple[str, set[str]]]:
    """The type and the labels of each metric in the tables."""
    found = {}
    for line in read("docs/metrics.md").splitlines():
        if line.startswith("| `"):
            names, kind, labels, _ = (cell.strip() for cell in line.strip("|").split("|", 3))
            for name in re.findall(r"`(\w+)`", names):
                found[name] = kind, set(re.findall(r"`(\w+)`", labels))
    return found


def sample_names() -> dict[str, set[str]]:
    """The labels of each sample that there is, by its name."""
    names = {name: set[str]() for name in PROCESS | OF_PROMETHEUS}
    for name, (kind, labels) in documented().items():
        names |= {name + end: labels for end in SAMPLES[kind]}
    return names


def used(expression: str) -> dict[str, set[str]]:
    """The samples that a PromQL expression asks for, with the labels that it matches."""
    text = re.sub(r"\"[^\"]*\"|'[^']*'", "0", expression)
    text = re.sub(r"\[[^\]]*\]|\$\w+", " ", text)
    matched = {
        name: set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside))
        for name, inside in _SELECTOR.findall(text)
    }
    text = _GROUPING.sub(" ", re.sub(r"\{[^{}]*\}", " ", text))
    words = re.findall(r"[A-Za-z_:][\w:]*(?!\w)(?!\s*\()", re.sub(r"\b[\d.]+\w*", " ", text))
    return {word: matched.get(word, set()) for word in words if word not in _KEYWORDS}


def grouped(expression: str) -> set[str]:
    """The labels that an expression groups by."""
    found: set[str] = set()
    for labels in _GROUPING.findall(expression):
        found |= {label.strip() for label in labels.split(",") if label.strip()}
    return found


def rules() -> list[dict[str, Any]]:
    """The alerts."""
    groups = yaml.safe_load(read("observability/prometheus/alerts.yml"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    """Grafana's dashboard."""
    loaded: dict[str, Any] = json.loads(read("observability/grafana/dashboards/orderapp.json"))
    return loaded


def panels() -> list[dict[str, Any]]:
    """What the dashboard shows, without its headings."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> dict[str, str]:
    """Every expression of the rules and the dashboard, by where it is."""
    found = {rule["alert"]: rule["expr"] for rule in rules()}
    for panel in panels():
        for target in panel["targets"]:
            found[f"{panel['title']} {target['refId']}"] = target["expr"]
    for note in dashboard()["annotations"]["list"]:
        found[note["name"]] = note["expr"]
    return found
