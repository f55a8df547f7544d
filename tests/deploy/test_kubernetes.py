"""What kustomize builds of deploy/kubernetes, held against the API's schemas, the image and the
code. No cluster is needed; where neither kubectl nor kustomize is, all of it is skipped.

Every check takes what was built, so that the end of this file can show that each of them
notices when it is broken by hand.
"""

import re
import shutil
import subprocess
import textwrap
from collections import defaultdict

import kubernetes_validate
import pytest
import yaml

from orderapp.app import app
from orderapp.couchbase_settings import TLS_PORT
from orderapp.engine.delivery.stopping import STOP_SECONDS
from orderapp.settings import SERVICES, Settings
from orderapp.topics import PARTITIONS
from tests.deploy import known
from tests.deploy.recipe import last, parse

FILES = known.ROOT / "deploy/kubernetes"
#: The oldest that docs/kubernetes.md promises, and the newest that there are schemas of.
VERSIONS = ("1.30", kubernetes_validate.latest_version())
PODS = {"app.kubernetes.io/name": "orderapp"}
COMPONENT = "app.kubernetes.io/component"


def build(directory):
    """What kustomize makes of a directory, as text."""
    if program := shutil.which("kustomize"):
        command = [program, "build"]
    elif program := shutil.which("kubectl"):
        command = [program, "kustomize"]
    else:
        pytest.skip("neither kustomize nor kubectl is installed")
    done = subprocess.run(
        [*command, str(directory)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def load(text):
    """Everything in it by its kind and name."""
    built = defaultdict(dict)
    for one in yaml.load_all(text, yaml.CSafeLoader):
        built[one["kind"]][one["metadata"]["name"]] = one
    return built


def spec(deployment):
    return deployment["spec"]["template"]["spec"]


def container(deployment):
    (found,) = spec(deployment)["containers"]
    return found


def deployments(built):
    """Each service's Deployment."""
    return {
        name: built["Deployment"][f"orderapp-{name}"]
        for name in SERVICES
        if f"orderapp-{name}" in built["Deployment"]
    }


# -- Services ----------------------------------------------------------------------------------


def check_the_api_knows_every_field(built):
    for kind, found in built.items():
        for one in found.values():
            if one["apiVersion"].startswith("keda.sh/"):
                assert one["apiVersion"] == "keda.sh/v1alpha1", kind
                continue
            for version in VERSIONS:
                kubernetes_validate.validate(one, version, strict=True)


def check_one_deployment_for_each_service_all_from_one_image(built):
    assert set(built["Deployment"]) == {f"orderapp-{name}" for name in SERVICES}
    for name, one in deployments(built).items():
        assert container(one)["env"] == [{"name": "ORDERAPP_SERVICES", "value": name}]
        assert (
            container(one)["image"] == "orderapp"
        )  # without a tag: which one is said by others
        labels = one["spec"]["template"]["metadata"]["labels"]
        assert {**PODS, COMPONENT: name}.items() <= labels.items()
        assert one["spec"]["selector"]["matchLabels"] == {**PODS, COMPONENT: name}
        # What is scaled has no number, which would be set back at each apply.
        assert ("replicas" in one["spec"]) != (f"orderapp-{name}" in built["ScaledObject"])


def check_settings_are_those_of_the_code_and_secrets_are_referred_to(built):
    assert "Secret" not in built
    (settings,) = built["ConfigMap"].values()
    assert settings["data"].keys() <= known.settings()
    for name, one in deployments(built).items():
        sources = container(one)["envFrom"]
        assert sources[0] == {"configMapRef": {"name": settings["metadata"]["name"]}}
        needed, may = [], []
        for source in sources[1:]:
            secret = source["secretRef"]
            (may if secret.get("optional") else needed).append(secret["name"])
        store = ["orderapp-couchbase"] if name in known.STORE_SERVICES else []
        assert needed == ["orderapp-kafka", *store]
        assert set(may) <= {f"orderapp-{name}"}


def check_a_rollout_waits_for_pods_that_reach_what_they_need(built):
    for one in deployments(built).values():
        deployment, pod = one["spec"], container(one)
        # A pod more than there are partitions would never be ready: one of as many has to go.
        assert deployment["strategy"]["rollingUpdate"] == {
            "maxSurge": 1,
            "maxUnavailable": "25%",
        }
        probe = pod["startupProbe"]
        assert probe["httpGet"] == {"path": "/readyz", "port": "http"}
        assert (
            deployment["progressDeadlineSeconds"]
            > probe["periodSeconds"] * probe["failureThreshold"]
        )
        assert pod["livenessProbe"] == pod["readinessProbe"]
        assert pod["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}


def check_probes_are_as_on_ecs(built):
    task = known.read("terraform/ecs.tf")
    check = re.search(r"healthCheck = \{(.*?)\n    \}", task, re.S)[1]
    for one in deployments(built).values():
        probe = container(one)["livenessProbe"]
        for ours, theirs in (
            ("periodSeconds", "interval"),
            ("timeoutSeconds", "timeout"),
            ("failureThreshold", "retries"),
        ):
            assert int(re.search(rf"{theirs} += (\d+)", check)[1]) == probe[ours]
        grace = spec(one)["terminationGracePeriodSeconds"]
        assert str(grace) == re.search(r"stopTimeout = (\d+)", task)[1]
        stop = container(one).get("lifecycle", {}).get("preStop", {})
        assert grace > STOP_SECONDS + stop.get("sleep", {}).get("seconds", 0) + 5


def check_drains_leave_the_others(built):
    assert set(built["PodDisruptionBudget"]) == set(built["Deployment"])
    for name in SERVICES:
        budget = built["PodDisruptionBudget"][f"orderapp-{name}"]["spec"]
        assert budget["maxUnavailable"] == 1  # none: the only pod could never be moved
        assert budget["selector"]["matchLabels"] == {**PODS, COMPONENT: name}


def check_pods_are_locked_in(built):
    """What the Pod Security Standard "restricted" asks for, and a read-only root."""
    user, group = map(int, known.USER.split(":"))
    for one in deployments(built).values():
        assert spec(one)["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": group,
            "fsGroup": group,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert container(one)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert spec(one)["automountServiceAccountToken"] is False
        assert spec(one)["enableServiceLinks"] is False
        assert {"command", "args"}.isdisjoint(container(one))  # the worker is process 1
        (volume,), (mount,) = spec(one)["volumes"], container(one)["volumeMounts"]
        assert [*volume] == ["emptyDir", "name"]
        assert mount == {"name": volume["name"], "mountPath": known.DATA_DIR}
        assert "memory" in container(one)["resources"]["limits"]


def check_ports_are_the_images(built):
    port = int(last(parse(known.read("Dockerfile")), "production", "EXPOSE"))
    for one in deployments(built).values():
        assert container(one)["ports"] == [{"name": "http", "containerPort": port}]
        notes = one["spec"]["template"]["metadata"]["annotations"]
        assert notes == {"prometheus.io/scrape": "true", "prometheus.io/port": str(port)}
    (service,) = built["Service"].values()
    assert service["spec"]["selector"] == {**PODS, COMPONENT: "web"}
    assert [one["targetPort"] for one in service["spec"]["ports"]] == ["http"]


# -- Scaling -----------------------------------------------------------------------------------


def check_what_reads_scales_by_lag_up_to_the_partitions(built):
    """The shape of KEDA's objects, which have no schema here."""
    assert set(built["ScaledObject"]) == {f"orderapp-{name}" for name in app.services.readers}
    for name in app.services.readers:
        scaled = built["ScaledObject"][f"orderapp-{name}"]["spec"]
        assert scaled.keys() == {
            *("scaleTargetRef", "triggers", "minReplicaCount", "maxReplicaCount"),
            *("pollingInterval", "advanced"),
        }
        assert scaled["scaleTargetRef"] == {"name": f"orderapp-{name}"}
        assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (1, PARTITIONS)
        # Of the HorizontalPodAutoscaler that KEDA makes, whose schema is the API's.
        behavior = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        autoscaler = {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": name},
                "maxReplicas": PARTITIONS,
                "behavior": behavior,
            },
        }
        kubernetes_validate.validate(autoscaler, VERSIONS[-1], strict=True)
        assert behavior["scaleUp"].keys() == behavior["scaleDown"].keys()
        (trigger,) = scaled["triggers"]
        assert trigger.keys() == {"type", "authenticationRef", "metadata"}
        assert trigger["authenticationRef"]["name"] in built["TriggerAuthentication"]
        assert trigger["metadata"] == {
            "bootstrapServersFromEnv": "KAFKA_BOOTSTRAP_SERVERS",
            "consumerGroup": Settings(services=frozenset({name})).group,
            "lagThreshold": "10000",
            "offsetResetPolicy": "earliest",
            "version": "2.1.0",
            "sasl": "plaintext",
            "tls": "enable",
        }


def check_keda_logs_in_as_the_services_do(built):
    (login,) = built["TriggerAuthentication"].values()
    assert login["spec"].keys() == {"secretTargetRef"}
    keys = {one.pop("parameter"): one for one in login["spec"]["secretTargetRef"]}
    assert keys == {
        "username": {"name": "orderapp-kafka", "key": "CONFLUENT_API_KEY"},
        "password": {"name": "orderapp-kafka", "key": "CONFLUENT_API_SECRET"},
    }
    assert {one["key"] for one in keys.values()} <= known.KAFKA


# -- Network -----------------------------------------------------------------------------------


def check_only_who_has_to_reaches_a_pod(built):
    policies = {name: one["spec"] for name, one in built["NetworkPolicy"].items()}
    every = policies["orderapp"]
    assert every["podSelector"] == {"matchLabels": PODS}
    assert every["policyTypes"] == ["Ingress", "Egress"]
    for policy in policies.values():
        for rule in policy.get("ingress", []):
            assert rule["ports"] == [{"port": "http", "protocol": "TCP"}]
            assert [peer["namespaceSelector"]["matchLabels"] for peer in rule["from"]]
    (visitors,) = policies["orderapp-web"]["ingress"]
    assert policies["orderapp-web"]["podSelector"] == {
        "matchLabels": {**PODS, COMPONENT: "web"}
    }
    for label in re.findall(r"'matchLabels': \{'(.+?)'", str([every["ingress"], visitors])):
        assert f"{label}=true" in known.read("docs/kubernetes.md")


def check_pods_reach_what_they_have_to_and_no_more(built):
    def ports(name):
        rules = built["NetworkPolicy"][name]["spec"]["egress"]
        return [
            (port["port"], port.get("endPort", port["port"]), port["protocol"])
            for rule in rules
            for port in rule["ports"]
        ]

    assert ports("orderapp") == [(53, 53, "UDP"), (53, 53, "TCP"), (9092, 9092, "TCP")]
    store = [(TLS_PORT, TLS_PORT, "TCP"), (18091, 18096, "TCP")]
    assert ports("orderapp-store") == store
    (only,) = built["NetworkPolicy"]["orderapp-store"]["spec"]["podSelector"][
        "matchExpressions"
    ]
    assert set(only["values"]) == known.STORE_SERVICES


CHECKS = [check for name, check in sorted(globals().items()) if name.startswith("check_")]


@pytest.fixture(scope="module")
def text():
    return build(FILES)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__[6:])
def test_kubernetes(check, text):
    check(load(text))


def test_the_kustomization_of_the_docs_builds_and_names_follow_it(tmp_path):
    blocks = r"`(\S+\.yaml)`:\n\n +```yaml\n(.*?)\n +```"
    files = dict(re.findall(blocks, known.read("docs/kubernetes.md"), re.S))
    assert set(files) == {"kustomization.yaml", "ingress.yaml"}
    shutil.copytree(FILES, tmp_path / "orderapp/deploy/kubernetes")
    mine = tmp_path / "shop"
    mine.mkdir()
    for name, content in files.items():
        (mine / name).write_text(textwrap.dedent(content) + "\n")
    (mine / "kafka.env").write_text("CONFLUENT_API_KEY=k\n")
    more = "namePrefix: test-\nsecretGenerator: [{name: orderapp-kafka, envs: [kafka.env]}]\n"
    with (mine / "kustomization.yaml").open("a") as file:
        file.write(more)

    made = load(build(mine))

    (ingress,) = made["Ingress"].values()
    kubernetes_validate.validate(ingress, VERSIONS[0], strict=True)
    (secret,) = made["Secret"]
    (login,) = made["TriggerAuthentication"].values()
    assert {one["name"] for one in login["spec"]["secretTargetRef"]} == {secret}
    for name in app.services.readers:
        one = made["Deployment"][f"test-orderapp-{name}"]
        assert container(one)["envFrom"][1] == {"secretRef": {"name": secret}}
        assert re.fullmatch(r"\S+/orderapp:\d\S+", container(one)["image"])
        scaled = made["ScaledObject"][f"test-orderapp-{name}"]["spec"]
        assert scaled["scaleTargetRef"]["name"] == f"test-orderapp-{name}"
    (settings,) = made["ConfigMap"].values()
    assert {"ORDERAPP_LOG_FORMAT", "ORDERAPP_ALLOWED_HOSTS"} <= settings["data"].keys()
    assert settings["data"].keys() <= known.settings()


def test_scaling_can_be_left_out_as_the_docs_say(tmp_path):
    block = r"```yaml\n(patches:\n.*?)```"
    (patch,) = re.findall(block, known.read("docs/kubernetes.md"), re.S)
    shutil.copytree(FILES, tmp_path / "base")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/kustomization.yaml").write_text(f"resources: [../base]\n{patch}")

    made = load(build(tmp_path / "mine"))

    assert {"ScaledObject", "TriggerAuthentication"}.isdisjoint(made)
    assert len(made["Deployment"]) == len(SERVICES)


# -- Broken by hand ----------------------------------------------------------------------------

#: What is replaced where it is first found, and which check notices.
BREAKS = {
    "a field that is misspelt": (
        ("readOnlyRootFilesystem", "readonlyRootFilesystem"),
        check_the_api_knows_every_field,
    ),
    "a missing service": (
        ("  name: orderapp-fraud\n", "  name: orderapp-frauds\n"),
        check_one_deployment_for_each_service_all_from_one_image,
    ),
    "a number that undoes scaling": (
        ("  progressDeadlineSeconds", "  replicas: 1\n  progressDeadlineSeconds"),
        check_one_deployment_for_each_service_all_from_one_image,
    ),
    "no access to the store": (
        ("        - secretRef:\n            name: orderapp-couchbase\n", ""),
        check_settings_are_those_of_the_code_and_secrets_are_referred_to,
    ),
    "a setting that is none": (
        ("ORDERAPP_LOG_FORMAT", "ORDERAPP_LOGFORMAT"),
        check_settings_are_those_of_the_code_and_secrets_are_referred_to,
    ),
    "a rollout that waits for nothing": (
        ("/readyz", "/healthz"),
        check_a_rollout_waits_for_pods_that_reach_what_they_need,
    ),
    "less patience than on ECS": (
        ("failureThreshold: 3", "failureThreshold: 1"),
        check_probes_are_as_on_ecs,
    ),
    "a node that can't be drained": (
        ("maxUnavailable: 1\n", "maxUnavailable: 0\n"),
        check_drains_leave_the_others,
    ),
    "root": (
        ("runAsNonRoot: true", "runAsNonRoot: false"),
        check_pods_are_locked_in,
    ),
    "capabilities": (
        ("capabilities:", "noCapabilities:"),
        check_pods_are_locked_in,
    ),
    "another port": (
        ("containerPort: 6066", "containerPort: 8080"),
        check_ports_are_the_images,
    ),
    "more pods than partitions": (
        ("maxReplicaCount: 6", "maxReplicaCount: 7"),
        check_what_reads_scales_by_lag_up_to_the_partitions,
    ),
    "another service's lag": (
        ("payment-group", "fraud-group"),
        check_what_reads_scales_by_lag_up_to_the_partitions,
    ),
    "another key of the secret": (
        ("key: CONFLUENT_API_KEY", "key: CONFLUENT_KEY"),
        check_keda_logs_in_as_the_services_do,
    ),
    "visitors from everywhere": (
        (
            'namespaceSelector:\n        matchLabels:\n          orderapp-visitors: "true"',
            "podSelector: {}",
        ),
        check_only_who_has_to_reaches_a_pod,
    ),
    "every port outwards": (
        ("- port: 9092", "- endPort: 65535\n      port: 1"),
        check_pods_reach_what_they_have_to_and_no_more,
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_it_is_noticed(name, text):
    (old, new), check = BREAKS[name]
    assert old in text
    changed = load(text.replace(old, new, 1))

    with pytest.raises((AssertionError, KeyError, kubernetes_validate.ValidationError)):
        check(changed)


def test_every_check_has_been_seen_to_fail():
    assert {check for _, check in BREAKS.values()} == set(CHECKS)
