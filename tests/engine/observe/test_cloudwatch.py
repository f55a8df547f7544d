"""Metrics that CloudWatch reads from the log."""

import io
import json
import sys

from orderapp.engine.observe import cloudwatch


def test_a_line_is_a_metric_in_the_embedded_format():
    line = cloudwatch.line("ns", "Waiting", 7, 1.5, group="a-group")

    assert json.loads(line) == {
        "_aws": {
            "Timestamp": 1500,
            "CloudWatchMetrics": [
                {
                    "Namespace": "ns",
                    "Dimensions": [["group"]],
                    "Metrics": [{"Name": "Waiting", "Unit": "Count"}],
                }
            ],
        },
        "group": "a-group",
        "Waiting": 7,
    }
    assert "\n" not in line


def test_it_is_written_past_what_takes_the_output_into_the_log(monkeypatch):
    real, taken = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "__stdout__", real)
    monkeypatch.setattr(sys, "stdout", taken)

    cloudwatch.publish("ns", "Waiting", 7, 1.5, group="a-group")

    assert real.getvalue() == cloudwatch.line("ns", "Waiting", 7, 1.5, group="a-group") + "\n"
    assert not taken.getvalue()
