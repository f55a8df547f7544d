"""A short run of the chaos suite with each store, as a command of its own.

`make chaos` runs it as long as the figures of docs/measurements.md."""

import json
import subprocess
import sys

import psutil
import pytest

from tests.chaos.place import ROOT

#: Seed, seconds of faults and further arguments. The faults of each seed fit into its time.
RUNS = {
    "sqlite": (218, 75, ()),
    "couchbase": (
        53,
        45,
        ("--faults", "kill,store-failover,store-degrade,store-refuse,poison"),
    ),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("store", RUNS)
def test_nothing_is_lost_and_nobody_is_charged_twice_whatever_dies(store, tmp_path):
    seed, seconds, more = RUNS[store]
    figures = tmp_path / "figures.json"

    output, code = chaos(
        *("--seed", str(seed), "--seconds", str(seconds), "--store", store),
        # Its figures are those of `make chaos`; this machine may be loaded, and pause.
        *("--takeover-seconds", "60", "--json", str(figures), *more),
    )

    assert code == 0, output
    [run] = json.loads(figures.read_text())
    assert (
        run["lost"],
        run["double_charged"],
        run["charged_though_aborted"],
        run["wrong_alerts"],
        run["wrong_documents"],
    ) == (0, 0, 0, 0, 0)
    assert run["taken_unread"] == run["reported_lost"]
    # Nothing is sent while a topic is made anew, and what was aborted is not confirmed.
    assert run["confirmed"] >= seconds * 90
    assert run["faults"]["kill"] >= 1
    assert run["takeovers"], output
    assert min(run["sure_alerts"].values()) > 10  # of each rule


def test_a_run_that_is_ended_in_the_middle_leaves_nothing(tmp_path):
    command = [sys.executable, "-m", "tests.chaos", "--seed", "1", "--seconds", "60"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "kill" in line:
            break
    started = psutil.Process(process.pid).children(recursive=True)
    assert len(started) > 4

    process.terminate()
    process.communicate(timeout=120)

    assert process.returncode == 130
    _, alive = psutil.wait_procs(started, timeout=60)
    assert alive == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--faults", "kill,meteor"], "'meteor'"),
        (["--seconds", "-1"], "--seconds"),
        (["--workers", "0"], "--workers"),
        (["--store", "paper"], "--store"),
        (["--strikes", "kill=0"], "--strikes"),
        (["--strikes", "meteor=1"], "'meteor'"),
    ],
)
def test_wrong_arguments_are_named(arguments, text):
    output, code = chaos(*arguments)

    assert code == 2
    assert text in output.splitlines()[-1]


def chaos(*arguments):
    """Run it; its output, which names the seed, and its exit status."""
    command = [sys.executable, "-m", "tests.chaos", *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout)
    return done.stdout, done.returncode
