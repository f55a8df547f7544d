"""docs/metrics.md and the code have the same metrics, and nothing else is asked for."""

import re

import pytest

from orderapp.app import app
from orderapp.engine.metrics import REGISTRY
from orderapp.web import metrics as view
from tests.deploy.known import read
from tests.observability import names


def registered():
    """Name and type of each of our metrics, as in the tables."""
    ends = {"counter": "_total", "info": "_info"}
    return {
        family.name + ends.get(family.type, ""): "gauge"
        if family.type == "info"
        else family.type
        for family in REGISTRY.collect()
        if family.name.startswith("orderapp_")
    }


def test_every_metric_is_documented_with_its_type_and_every_documented_one_exists():
    assert view.show  # importing it registers what it shows
    documented = {name: kind for name, (kind, _) in names.documented().items()}

    assert documented == registered()


def test_documented_labels_are_those_of_the_samples():
    found = {}
    for family in REGISTRY.collect():
        for sample in family.samples:
            found[sample.name] = set(sample.labels) - {"le"}
    for name, (kind, labels) in names.documented().items():
        for end in names.SAMPLES[kind]:
            assert found.get(name + end, labels) == labels, name
    # Else the comparison would say nothing.
    assert {"orderapp_build_info", "orderapp_revenue_total"} <= set(found)


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
        " and on (x) (g:h offset 5m) / 60 or absent(up)"
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
