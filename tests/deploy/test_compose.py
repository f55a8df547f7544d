"""The Compose stack: five services from one image, and nothing open that need not be."""

import re
import shutil
import subprocess

import pytest
import yaml

from orderapp.engine.delivery.stopping import DRAIN_SECONDS, STOP_SECONDS
from orderapp.engine.embedded.jars import read_lock
from orderapp.settings import SERVICES, Settings
from tests.deploy import known

#: The profile `observe`.
OBSERVERS = {"prometheus", "grafana"}
SECRETS = {"COUCHBASE_PASSWORD", "COUCHBASE_ADMIN_PASSWORD", "ORDERAPP_API_TOKEN"}


def load(text):
    return yaml.safe_load(text)


@pytest.fixture(scope="module")
def stack():
    return load(known.read("docker-compose.yml"))


@pytest.fixture(scope="module")
def services(stack):
    return stack["services"]


def with_defaults(value):
    """The text that Compose makes of `${NAME:-default}` with nothing set but secrets."""
    return re.sub(
        r"\$\{\w+(?::-([^}]*)|:\?[^}]*)\}",
        lambda m: m[1] if m[1] is not None else "secret",
        value,
    )


def test_there_is_a_service_for_each_of_orderapps_and_one_image_for_all(services):
    stack = {*SERVICES, "kafka", "couchbase", "couchbase-init"}
    assert set(services) == stack | OBSERVERS
    # They are asked for by name, and nothing else is.
    profiles = {name: service.get("profiles") for name, service in services.items()}
    assert profiles == dict.fromkeys(stack) | {name: ["observe"] for name in OBSERVERS}
    assert {services[name]["environment"]["ORDERAPP_SERVICES"] for name in SERVICES} == {
        *SERVICES
    }
    assert all(services[name]["environment"]["ORDERAPP_SERVICES"] == name for name in SERVICES)
    images = {services[name]["image"] for name in (*SERVICES, "couchbase-init")}
    targets = {services[name]["build"]["target"] for name in (*SERVICES, "couchbase-init")}
    assert (len(images), targets) == (1, {"production"})


@pytest.mark.parametrize("name", SERVICES)
def test_settings_are_those_that_the_code_knows_and_accepts(services, name):
    environment = services[name]["environment"]
    assert set(environment) <= known.settings()
    settings = Settings.from_env(
        {key: with_defaults(value) for key, value in environment.items()}
    )
    assert settings.services == {name}
    assert settings.kafka_bootstrap_servers == ("kafka:9092",)
    # Only who needs the store is told where it is.
    assert (settings.couchbase is not None) == (name in known.STORE_SERVICES)
    # Each setting of it; this Couchbase has no TLS.
    of_store = {one for one in known.settings() if one.startswith("COUCHBASE_")}
    of_store -= {"COUCHBASE_CA_FILE", "COUCHBASE_CA_PEM"}
    given = {one for one in environment if one.startswith("COUCHBASE_")}
    assert given == (of_store if name in known.STORE_SERVICES else set())


def test_what_compose_alone_reads_does_not_keep_a_worker_from_starting():
    names = re.findall(r"\$\{(ORDERAPP_\w+)", known.read("docker-compose.yml"))
    assert {"ORDERAPP_PORT", "ORDERAPP_GRAFANA_PORT", "ORDERAPP_IMAGE_TAG"} <= set(names)
    others = set(names) - known.settings()
    assert Settings.from_env(dict.fromkeys(others, "1")) == Settings()


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_locked_in_and_bounded(services, name):
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "mem_limit" in service
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"] == ["CMD", *known.HEALTH_COMMAND, "/readyz"]
    assert service["tmpfs"][0].startswith(f"{known.DATA_DIR}:")
    assert "entrypoint" not in service
    assert "user" not in service, "the image's own is the right one"
    # What may be asked of a worker: to finish its work, and to end whatever happens.
    assert known.seconds(service["stop_grace_period"]) > max(DRAIN_SECONDS, STOP_SECONDS) + 5


def test_services_wait_for_what_they_need(services):
    healthy = {"condition": "service_healthy"}
    for name in SERVICES:
        wanted = {"kafka": healthy}
        if name in known.STORE_SERVICES:
            wanted["couchbase-init"] = {"condition": "service_completed_successfully"}
        assert services[name]["depends_on"] == wanted, name
    assert services["couchbase-init"]["depends_on"] == {"couchbase": healthy}
    assert services["couchbase-init"]["restart"] == "no"
    for name in ("kafka", "couchbase"):
        assert services[name]["healthcheck"]["test"]


def test_only_web_ports_are_published_and_only_on_loopback(services):
    published = {
        name: service["ports"] for name, service in services.items() if "ports" in service
    }
    assert {name: [*map(with_defaults, ports)] for name, ports in published.items()} == {
        "web": ["127.0.0.1:6066:6066"],
        "prometheus": ["127.0.0.1:9090:9090"],
        "grafana": ["127.0.0.1:3000:3000"],
    }
    assert not any("network_mode" in service for service in services.values())


@pytest.mark.parametrize("name", sorted(OBSERVERS))
def test_observers_are_locked_in_and_their_files_are_there_to_read(services, name):
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    files = [volume for volume in service["volumes"] if volume.startswith(".")]
    assert files
    for volume in files:
        source, _, mode = volume.split(":")
        assert (known.ROOT / source).is_dir(), source
        assert mode == "ro"


def test_grafana_needs_no_password_and_lets_nobody_change_anything(services):
    environment = services["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert not [name for name in environment if "PASSWORD" in name]


@pytest.mark.parametrize("name", SERVICES)
def test_prometheus_finds_every_service_and_each_lets_it_in(services, name):
    config = yaml.safe_load(known.read("observability/prometheus/prometheus.yml"))
    (found,) = config["scrape_configs"][0]["dns_sd_configs"]
    assert name in found["names"]
    assert services["web"]["ports"][0].endswith(f":{found['port']}")
    assert services[name]["environment"]["ORDERAPP_WEB_HOST"] == "0.0.0.0"


def test_every_service_can_have_more_containers(services):
    assert not any("container_name" in service for service in services.values())
    for name in set(SERVICES) - {"web"}:
        assert "ports" not in services[name]
        assert "volumes" not in services[name]


def test_images_are_pinned_and_kafka_is_the_embedded_one(services):
    version = next(
        jar.coordinates.rpartition(":")[2]
        for jar in read_lock()
        if jar.coordinates.startswith("org.apache.kafka:kafka_")
    )
    assert services["kafka"]["image"] == f"apache/kafka:{version}"
    for name, image in {
        "couchbase": "couchbase:community-",
        "prometheus": "prom/prometheus:v",
        "grafana": "grafana/grafana:",
    }.items():
        assert re.fullmatch(image + r"\d+\.\d+\.\d+", services[name]["image"])
    for service in services.values():
        assert "mem_limit" in service
        assert "privileged" not in service


def test_passwords_come_from_the_environment_and_have_no_default(services):
    found = set()
    for service in services.values():
        for name, value in service["environment"].items() if "environment" in service else ():
            if name in SECRETS:
                found.add(name)
                assert re.fullmatch(rf"\$\{{{name}(:\?[^}}]+|:-)\}}", value), (name, value)
    assert found == SECRETS
    example = known.read(".env.example")
    for name in SECRETS:
        # In quotes Compose takes a `$` for a `$`.
        assert re.search(rf"^#?{name}=''$", example, re.M), name
    # Everything that Compose asks the environment for is explained there, and the other way.
    asked = set(re.findall(r"\$\{(\w+)", known.read("docker-compose.yml")))
    assert asked == set(re.findall(r"^#?([A-Z_]+)=", example, re.M))


def test_secrets_never_get_into_git_or_the_image():
    assert ".env" in known.read(".gitignore").splitlines()
    ignored = known.read(".dockerignore")
    assert "!.env" not in ignored


def test_compose_itself_accepts_the_file(tmp_path):
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run(
            [docker, "compose", "version"], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("docker compose is not installed")
    secrets = "COUCHBASE_PASSWORD=x\nCOUCHBASE_ADMIN_PASSWORD=x\n"
    (tmp_path / "env").write_text(secrets)
    command = [docker, "compose", "--env-file", str(tmp_path / "env"), "config", "--quiet"]
    checked = subprocess.run(
        command, cwd=known.ROOT, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


# -- Broken by hand ---------------------------------------------------------------------------

BREAKS = {
    "a setting that the code does not know": (
        "ORDERAPP_PAYMENT_DELAY: ${",
        "ORDERAPP_PAYMENT_WAIT: ${",
        lambda s: test_settings_are_those_that_the_code_knows_and_accepts(s, "payment"),
    ),
    "a setting of Couchbase that can not be given": (
        "  COUCHBASE_EXPIRY_DAYS: ${COUCHBASE_EXPIRY_DAYS:-}\n",
        "",
        lambda s: test_settings_are_those_that_the_code_knows_and_accepts(s, "web"),
    ),
    "a service that is missing": (
        "ORDERAPP_SERVICES: fraud",
        "ORDERAPP_SERVICES: payment",
        test_there_is_a_service_for_each_of_orderapps_and_one_image_for_all,
    ),
    "a port that everybody reaches": (
        "127.0.0.1:${ORDERAPP_PORT:-6066}:6066",
        "${ORDERAPP_PORT:-6066}:6066",
        test_only_web_ports_are_published_and_only_on_loopback,
    ),
    "a password with a default": (
        "${COUCHBASE_PASSWORD:?is not set; copy .env.example to .env and fill it in}",
        "${COUCHBASE_PASSWORD:-password}",
        test_passwords_come_from_the_environment_and_have_no_default,
    ),
    "a root file system that can be written": (
        "read_only: true",
        "read_only: false",
        lambda s: test_services_are_locked_in_and_bounded(s, "web"),
    ),
    "too little time to stop": (
        "stop_grace_period: 20s",
        "stop_grace_period: 5s",
        lambda s: test_services_are_locked_in_and_bounded(s, "web"),
    ),
    "an image that moves": (
        "apache/kafka:4.4.0",
        "apache/kafka:latest",
        test_images_are_pinned_and_kafka_is_the_embedded_one,
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_it_is_noticed(name):
    old, new, check = BREAKS[name]
    text = known.read("docker-compose.yml")
    assert old in text
    with pytest.raises(AssertionError):
        check(load(text.replace(old, new, 1))["services"])


def test_a_setting_renamed_in_the_code_only_is_noticed(services, monkeypatch):
    renamed = known.settings() - {"COUCHBASE_BUCKET"} | {"COUCHBASE_STORE"}
    monkeypatch.setattr(known, "settings", lambda: renamed)
    with pytest.raises(AssertionError):
        test_settings_are_those_that_the_code_knows_and_accepts(services, "web")
