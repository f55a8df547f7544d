"""A metric as a line of the output, in the embedded metric format: CloudWatch, which reads the
log, makes a metric of it. So publishing one needs no rights in AWS and no agent."""

import json
import sys


def publish(namespace: str, name: str, count: int, at: float, **dimensions: str) -> None:
    """Write the line; `at` is a Unix time in s."""
    # Not sys.stdout: Faust gives that to the log, whose lines begin with a time and a level.
    print(line(namespace, name, count, at, **dimensions), file=sys.__stdout__, flush=True)


def line(namespace: str, name: str, count: int, at: float, **dimensions: str) -> str:
    """One JSON object, without a line's end."""
    metric = {
        "Namespace": namespace,
        "Dimensions": [[*dimensions]],
        "Metrics": [{"Name": name, "Unit": "Count"}],
    }
    about = {"Timestamp": round(at * 1000), "CloudWatchMetrics": [metric]}
    return json.dumps({"_aws": about, **dimensions, name: count})
