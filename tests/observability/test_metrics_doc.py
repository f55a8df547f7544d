"""docs/metrics.md and the code have the same metrics, and nothing else is asked for."""

import re

import pytest

from orderapp.app import app
from orderapp.engine.observe.metrics import REGISTRY
from orderapp.web.api import metrics as view
from tests.deploy.known import read
from tests.observability import names

ENDS = {"counter": "_total", "info": "_info"}


def registered():
    """Type and labels of each of our metrics, by its name in the tables."""
    found = {}
    for collector in REGISTRY._collector_to_names:
        for family in collector.collect():
            if family.name.startswith("orderapp_"):
                kind = "gauge" if family.type == "info" else family.type
                name = family.name + ENDS.get(family.type, "")
                found[name] = kind, labels(collector, family)
    return found


def labels(collector, family):
    """The labels that are declared: a metric may have no sample yet."""
    if family.type == "info":  # their labels are what it says
        return {label for sample in family.samples for label in sample.labels}
    # A family that a collector of ours makes has them; the library's have them themselves.
    return set(family._labelnames if hasattr(family, "_labelnames") else collector._labelnames)


def test_every_metric_is_documented_with_type_and_labels_and_every_documented_one_exists():
    assert view.show  # importing it registers what it shows

    assert names.documented() == registered()


def test_what_a_process_has_exists():
    found = {sample.name for family in REGISTRY.collect() for sample in family.samples}

    assert found >= names.PROCESS


@pytest.mark.parametrize("place", names.expressions())
def test_expressions_use_metrics_and_labels_that_exist(place):
    expression = names.expressions()[place]
    existing = names.sample_names()
    used = names.used(expression)

    assert used
    for name, labels in used.items():
        assert name in existing, name
        assert labels <= existing[name] | names.ADDED, name
    known = names.ADDED.union(*(existing[name] for name in used))
    assert names.grouped(expression) <= known


def test_the_names_in_an_expression_are_found():
    expression = (
        'histogram_quantile(0.99, sum by (le, x) (rate(a_bucket{b="c d",e!~"f"}[5m]))) > 1e3'
        ' and on (x) (g:h offset 5m) / 60 or label_replace(absent(up), "x", "y", "", "")'
    )

    assert names.used(expression) == {"a_bucket": {"b", "e"}, "g:h": set(), "up": set()}
    assert names.grouped(expression) == {"le", "x"}


def test_every_metric_of_ours_is_looked_at_somewhere():
    used = set().union(*map(names.used, names.expressions().values()))

    for name, (kind, _) in names.documented().items():
        if not name.endswith("_info"):
            assert used & {name + end for end in names.SAMPLES[kind]}, name


def test_the_paths_that_are_named_exist():
    text = read("docs/metrics.md")
    routes = {route.resource.canonical for route in app.web.web_app.router.routes()}

    assert {"/metrics", "/healthz"} <= routes
    for path in re.findall(r"\]\(([^):#]+)\)", text):
        assert read(f"docs/{path}")
