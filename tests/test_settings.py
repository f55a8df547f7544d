"""Settings: what is read, what is refused, and what never shows."""

import dataclasses
import os
import subprocess
import sys

import pytest

from orderapp.couchbase_settings import Couchbase
from orderapp.environ import Environ, SettingsError
from orderapp.settings import SERVICES, Faults, PaymentApi, Settings
from orderapp.web_settings import Web

COUCHBASE = {
    "COUCHBASE_HOST": "db1,db2:11210",
    "COUCHBASE_USERNAME": "app",
    "COUCHBASE_PASSWORD": "hush-hush",
    "COUCHBASE_BUCKET": "orders",
}


PAYMENT = {"ORDERAPP_PAYMENT_URL": "https://pay.example/charges"}


def test_no_settings_at_all_are_the_defaults():
    assert Settings.from_env({}) == Settings()


def test_an_empty_variable_counts_as_unset():
    assert Settings.from_env({"COUCHBASE_HOST": "", "ORDERAPP_SERVICES": "  "}) == Settings()


def test_every_setting_is_read():
    settings = Settings.from_env(
        {
            **COUCHBASE,
            "KAFKA_BOOTSTRAP_SERVERS": "a:9092, b.example:9093,[::1]:9094",
            "CONFLUENT_API_KEY": "key",
            "CONFLUENT_API_SECRET": "hush",
            "ORDERAPP_SERVICES": "web, fraud",
            "ORDERAPP_GROUP": "Our.group_1-a",
            "ORDERAPP_DATA_DIR": "/data",
            "ORDERAPP_ORDER_INTERVAL": "0.5",
            "ORDERAPP_PAYMENT_DELAY": "0",
            "ORDERAPP_WEB_HOST": "0.0.0.0",
            "ORDERAPP_API_TOKEN": "hush-token",
            "ORDERAPP_ALLOWED_HOSTS": "orders.example, Web",
            "ORDERAPP_TAKE_ORDERS": "token",
            "ORDERAPP_ENVIRONMENT": "staging-2",
            "ORDERAPP_LAG_NAMESPACE": "shop/orders",
            "ORDERAPP_PARTITIONS": "12",
            "ORDERAPP_RECONCILE_EVERY": "3600",
            "ORDERAPP_TRACE_URL": "http://[::1]:16686/trace/{trace_id}?uiFind={trace_id}",
            "ORDERAPP_METRICS": "9100",
            "ORDERAPP_IDEMPOTENCY_HOURS": "48",
            "ORDERAPP_MAX_ATTEMPTS": "3",
            "ORDERAPP_DEAD_LETTER_LIMIT": "7",
            "ORDERAPP_DEAD_LETTER_SHARE": "1",
            "ORDERAPP_STALL_SECONDS": "40",
            "ORDERAPP_READY_SECONDS": "300",
            "ORDERAPP_INSTANCE_ID": "worker-1",
            "ORDERAPP_FRAMING": "schema-registry",
            "ORDERAPP_SESSION_TIMEOUT": "45",
            "ORDERAPP_LOG_FORMAT": "json",
            "ORDERAPP_FAULT_GATEWAY_TIMEOUT": "0.1",
            "ORDERAPP_FAULT_GATEWAY_DECLINE": "0.2",
            "ORDERAPP_FAULT_GATEWAY_SLOW": "0.3",
            "ORDERAPP_FAULT_STORE_SLOW": "2",
            "ORDERAPP_FAULT_STORE_REFUSE": "0.4",
            "ORDERAPP_FAULT_DUPLICATES": "0.5",
            "ORDERAPP_FAULT_POISON": "1",
            "ORDERAPP_FAULT_ATTACK": "0.6",
        }
    )

    assert settings.kafka_bootstrap_servers == ("a:9092", "b.example:9093", "[::1]:9094")
    assert (settings.confluent_api_key, settings.confluent_api_secret) == ("key", "hush")
    assert settings.couchbase == Couchbase("db1,db2:11210", "app", "hush-hush", "orders")
    assert settings.services == {"web", "fraud"}
    assert settings.group == "Our.group_1-a"
    assert str(settings.data_dir) == "/data"
    assert (settings.order_interval, settings.payment_delay) == (0.5, 0.0)
    trace_url = "http://[::1]:16686/trace/{trace_id}?uiFind={trace_id}"
    assert settings.web == Web(
        "0.0.0.0", ("orders.example", "web"), "token", "hush-token", 9100, "staging-2",
        trace_url, 3600.0, "shop/orders",
    )  # fmt: skip
    assert (settings.partitions, Settings().partitions) == (12, 6)
    assert settings.idempotency_hours == 48
    assert (settings.max_attempts, settings.stall_seconds) == (3, 40.0)
    assert (settings.ready_seconds, Settings().ready_seconds) == (300.0, None)
    assert (settings.dead_letter_limit, settings.dead_letter_share) == (7, 1.0)
    assert (settings.instance_id, settings.session_timeout) == ("worker-1", 45.0)
    assert (settings.framing, settings.log_format) == ("schema-registry", "json")
    assert settings.faults == Faults(0.1, 0.2, 0.3, 2.0, 0.4, 0.5, 1.0, 0.6)
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("environ", "takers"),
    [
        ({}, "local"),
        ({"ORDERAPP_API_TOKEN": "hush"}, "token"),
        ({"ORDERAPP_API_TOKEN": "hush", "ORDERAPP_TAKE_ORDERS": "local"}, "local"),
        ({"ORDERAPP_TAKE_ORDERS": "anyone"}, "anyone"),
    ],
)
def test_who_may_send_orders_follows_from_the_token_unless_it_is_said(environ, takers):
    assert Settings.from_env(environ).web.take_orders == takers


def test_a_payment_gateway_over_http_is_read():
    settings = Settings.from_env(
        {
            "ORDERAPP_PAYMENT_URL": "https://pay.example:8443/v1/charges/",
            "ORDERAPP_PAYMENT_TOKEN": "hush~/+=|token",
            "ORDERAPP_PAYMENT_TIMEOUT": "2.5",
            "ORDERAPP_PAYMENT_REQUESTS": "7",
            "ORDERAPP_PAYMENT_KEY_HOURS": "48",
            "ORDERAPP_FAULT_GATEWAY_SLOW": "0",
            "ORDERAPP_FAULT_POISON": "0.5",
        }
    )

    assert settings.payment_api == PaymentApi(
        "https://pay.example:8443/v1/charges", "hush~/+=|token", 2.5, 7, 48
    )
    assert "hush" not in repr(settings)


def test_orders_are_kept_for_ever_or_for_days_in_either_store():
    couchbase = {**COUCHBASE, "COUCHBASE_EXPIRY_DAYS": "9"}

    assert Settings().days_kept is Settings.from_env(COUCHBASE).days_kept is None
    assert Settings.from_env({"ORDERAPP_KEEP_DAYS": "30"}).days_kept == 30
    assert Settings.from_env(couchbase).days_kept == 9
    with pytest.raises(SettingsError, match=r"^ORDERAPP_KEEP_DAYS is set, .*_EXPIRY_DAYS"):
        Settings.from_env({**couchbase, "ORDERAPP_KEEP_DAYS": "30"})


def test_a_token_that_is_wrong_is_not_shown():
    for token in ("hush hush", "hush\nhush", 'hush"', "hüsh hush", "hush" * 2000):
        with pytest.raises(SettingsError) as error:
            Settings.from_env({**PAYMENT, "ORDERAPP_PAYMENT_TOKEN": token})

        assert str(error.value).startswith("ORDERAPP_PAYMENT_TOKEN is not allowed: ")
        assert "sh" not in str(error.value).replace("backslashes", "")


def test_a_secret_in_the_address_is_not_shown():
    for url in ("https://me:hush@pay/x", "https://pay/x?key=hush", "https://hush@pay"):
        with pytest.raises(SettingsError, match=r"^ORDERAPP_PAYMENT_URL=") as error:
            Settings.from_env({"ORDERAPP_PAYMENT_URL": url})

        assert "hush" not in str(error.value)


def test_faults_of_the_simulated_gateway_are_refused_beside_another_one():
    with pytest.raises(SettingsError, match=r"^ORDERAPP_FAULT_GATEWAY_SLOW is set, but "):
        Settings.from_env({**PAYMENT, "ORDERAPP_FAULT_GATEWAY_SLOW": "0.1"})


def test_only_faults_that_are_switched_on_are_on():
    settings = Settings.from_env(
        {"ORDERAPP_FAULT_POISON": "0.5", "ORDERAPP_FAULT_DUPLICATES": "0"}
    )

    assert settings.faults.on() == {"poison": 0.5}


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().data_dir = "/"


@pytest.mark.parametrize(
    ("services", "group"),
    [
        ("all", "orderapp"),
        ("fraud,payment,analytics", "orderapp"),  # the same work as a worker with all
        ("fraud", "fraud-group"),
        ("payment", "payment-group"),
        ("analytics", "analytics-group"),
        ("producer", "producer-group"),
        ("web", "web-group"),
        ("fraud,web", "fraud-group"),  # shares the orders with workers of fraud alone
        ("payment,fraud", "fraud-payment-group"),
        ("producer,web", "producer-web-group"),
    ],
)
def test_workers_of_one_group_do_the_same_work(services, group):
    assert Settings.from_env({"ORDERAPP_SERVICES": services}).group == group


@pytest.mark.parametrize(
    ("services", "group"),
    [
        ("all", "orderapp"),
        ("analytics,fraud,loyalty,payment", "orderapp"),
        ("fraud,loyalty", "fraud-group"),
        ("loyalty", "loyalty-group"),
        ("loyalty,web", "loyalty-web-group"),
    ],
)
def test_a_service_that_is_added_moves_no_running_deployment(services, group):
    known = [*SERVICES, "loyalty"]

    assert Settings.from_env({"ORDERAPP_SERVICES": services}, known).group == group


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "broker"),
        ("KAFKA_BOOTSTRAP_SERVERS", "broker:0"),
        ("KAFKA_BOOTSTRAP_SERVERS", "broker:65536"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka://broker:9092"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:9092,,b:9092"),
        ("COUCHBASE_DURABILITY", "Majority"),
        ("ORDERAPP_SERVICES", "fraud,fruad"),
        ("ORDERAPP_MAX_ATTEMPTS", "0"),
        ("ORDERAPP_MAX_ATTEMPTS", "1.5"),
        ("ORDERAPP_MAX_ATTEMPTS", "9" * 5000),
        ("ORDERAPP_DEAD_LETTER_LIMIT", "0"),
        ("ORDERAPP_DEAD_LETTER_LIMIT", "many"),
        ("ORDERAPP_DEAD_LETTER_SHARE", "1.1"),
        ("ORDERAPP_DEAD_LETTER_SHARE", "nan"),
        ("ORDERAPP_STALL_SECONDS", "0"),
        ("ORDERAPP_READY_SECONDS", "0"),
        ("ORDERAPP_READY_SECONDS", "never"),
        ("ORDERAPP_INSTANCE_ID", "worker 1"),
        ("ORDERAPP_GROUP", "our group"),
        ("ORDERAPP_GROUP", "a" * 201),
        ("ORDERAPP_GROUP", "gr\u00fcppe"),
        ("ORDERAPP_FRAMING", "avro"),
        ("ORDERAPP_SESSION_TIMEOUT", "1"),
        ("ORDERAPP_SESSION_TIMEOUT", "81"),
        ("ORDERAPP_LOG_FORMAT", "xml"),
        ("ORDERAPP_FAULT_POISON", "1.1"),
        ("ORDERAPP_FAULT_POISON", "nan"),
        ("ORDERAPP_FAULT_GATEWAY_TIMEOUT", "-0.1"),
        ("ORDERAPP_FAULT_STORE_SLOW", "often"),
        ("ORDERAPP_SERVICES", "fraud,"),
        ("ORDERAPP_ORDER_INTERVAL", "often"),
        ("ORDERAPP_ORDER_INTERVAL", "0"),
        ("ORDERAPP_ORDER_INTERVAL", "nan"),
        ("ORDERAPP_ORDER_INTERVAL", "inf"),
        ("ORDERAPP_PAYMENT_DELAY", "-0.1"),
        ("ORDERAPP_PAYMENT_URL", "pay.example"),
        ("ORDERAPP_PAYMENT_URL", "ftp://pay.example"),
        ("ORDERAPP_PAYMENT_URL", "https://"),
        ("ORDERAPP_PAYMENT_URL", "https:///charges"),
        ("ORDERAPP_PAYMENT_URL", "https://pay.example:0"),
        ("ORDERAPP_PAYMENT_URL", "https://pay.example:port/"),
        ("ORDERAPP_PAYMENT_URL", "https://pay.example/a b"),
        ("ORDERAPP_PAYMENT_URL", "https://pay.example/a\nb"),
        ("ORDERAPP_PAYMENT_URL", "https://pay.example/#part"),
        ("ORDERAPP_PAYMENT_TIMEOUT", "0"),
        ("ORDERAPP_PAYMENT_TIMEOUT", "31"),
        ("ORDERAPP_PAYMENT_REQUESTS", "0"),
        ("ORDERAPP_PAYMENT_KEY_HOURS", "0.5"),
        ("ORDERAPP_KEEP_DAYS", "0"),
        ("ORDERAPP_KEEP_DAYS", "1.5"),
        ("ORDERAPP_KEEP_DAYS", "18001"),
        ("ORDERAPP_IDEMPOTENCY_HOURS", "0"),
        ("ORDERAPP_IDEMPOTENCY_HOURS", "8761"),
        ("ORDERAPP_WEB_HOST", "http://x"),
        ("ORDERAPP_WEB_HOST", "127.0.0.1:80"),
        ("ORDERAPP_ALLOWED_HOSTS", "orders.example:443"),
        ("ORDERAPP_ALLOWED_HOSTS", "https://orders.example"),
        ("ORDERAPP_ALLOWED_HOSTS", "a,,b"),
        ("ORDERAPP_TAKE_ORDERS", "everyone"),
        ("ORDERAPP_ENVIRONMENT", "a very long name of one"),
        ("ORDERAPP_LAG_NAMESPACE", "AWS/ECS"),
        ("ORDERAPP_LAG_NAMESPACE", "orders here"),
        ("ORDERAPP_PARTITIONS", "0"),
        ("ORDERAPP_PARTITIONS", "1001"),
        ("ORDERAPP_PARTITIONS", "6.5"),
        ("ORDERAPP_TRACE_URL", "javascript:alert(1)//{trace_id}"),
        ("ORDERAPP_TRACE_URL", "data:text/html,{trace_id}"),
        ("ORDERAPP_TRACE_URL", "http://jaeger/trace/"),
        ("ORDERAPP_TRACE_URL", "http://jaeger/trace/{traceid}"),
        ("ORDERAPP_TRACE_URL", "http://{trace_id}/trace"),
        ("ORDERAPP_TRACE_URL", "http:///{trace_id}"),
        ("ORDERAPP_TRACE_URL", 'http://jaeger/{trace_id}"onclick=x'),
        ("ORDERAPP_TRACE_URL", "http://jaeger/<{trace_id}>"),
        ("ORDERAPP_TRACE_URL", "http://jaeger/a {trace_id}"),
        ("ORDERAPP_TRACE_URL", "jaeger/{trace_id}"),
        ("ORDERAPP_RECONCILE_EVERY", "59"),
        ("ORDERAPP_RECONCILE_EVERY", "-1"),
        ("ORDERAPP_METRICS", "on"),
        ("ORDERAPP_METRICS", "0"),
        ("ORDERAPP_METRICS", "65536"),
        ("ORDERAPP_METRICS", "9" * 5000),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(name, value):
    with pytest.raises(SettingsError) as error:
        Settings.from_env({**COUCHBASE, name: value})

    text = str(error.value)
    shown = value if len(value) <= 100 else f"{value[:99]}…"
    assert text.startswith(f"{name}={shown!r} is not allowed: ")
    assert "\n" not in text


def test_what_may_be_a_secret_in_a_wrong_link_is_not_shown():
    with pytest.raises(SettingsError) as error:
        Settings.from_env({"ORDERAPP_TRACE_URL": "https://u:hush@traces/x?token=hush"})

    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({"CONFLUENT_API_KEY": "k"}, "CONFLUENT_API_SECRET"),
        ({"CONFLUENT_API_SECRET": "hush"}, "CONFLUENT_API_KEY"),
        (
            {"CONFLUENT_API_KEY": "k", "CONFLUENT_API_SECRET": "hush"},
            "KAFKA_BOOTSTRAP_SERVERS",
        ),
        ({"ORDERAPP_PAYMENT_TOKEN": "hush"}, "ORDERAPP_PAYMENT_URL"),
        ({"ORDERAPP_TAKE_ORDERS": "token"}, "ORDERAPP_API_TOKEN"),
    ],
)
def test_what_belongs_together_is_set_together(environ, missing):
    with pytest.raises(SettingsError) as error:
        Settings.from_env(environ)

    assert str(error.value).startswith(f"{missing} is not set, but ")
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("ORDERAPP_SERVICE", "ORDERAPP_SERVICES"),
        ("ORDERAPP_API_TOKNE", "ORDERAPP_API_TOKEN"),
        ("ORDERAPP_WEBHOST", "ORDERAPP_WEB_HOST"),
        ("ORDERAPP_FAULT_POISONS", "ORDERAPP_FAULT_POISON"),
        ("ORDERAPP_data_dir", "ORDERAPP_DATA_DIR"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_nearest_one(name, nearest):
    with pytest.raises(SettingsError) as error:
        Settings.from_env({"ORDERAPP_SERVICES": "fraud", name: "hush"})

    assert str(error.value) == (
        f"{name} is not a setting: did you mean {nearest}? All are in docs/settings.md"
    )


@pytest.mark.parametrize("name", ["ORDERAPP_\nX", "ORDERAPP_\udcff", "ORDERAPP_" + "X" * 9999])
def test_a_name_that_nobody_would_write_is_shown_in_one_short_line(name):
    with pytest.raises(SettingsError, match=r"^'?ORDERAPP_.* is not a setting: ") as error:
        Settings.from_env({name: "1"})

    assert str(error.value).isprintable()
    assert len(str(error.value)) < 250


@pytest.mark.parametrize(
    "name",
    [
        "ORDERAPP_TEST_COUCHBASE",
        # Kubernetes, beside the services orderapp and orderapp-web.
        "ORDERAPP_SERVICE_HOST",
        "ORDERAPP_SERVICE_PORT",
        "ORDERAPP_SERVICE_PORT_HTTP",
        "ORDERAPP_PORT",
        "ORDERAPP_PORT_6066_TCP",
        "ORDERAPP_PORT_6066_TCP_ADDR",
        "ORDERAPP_WEB_SERVICE_HOST",
        "ORDERAPP_WEB_PORT_6066_TCP_PROTO",
        # Other programs use these prefixes too.
        "COUCHBASE_ADMIN_PASSWORD",
        "KAFKA_OPTS",
        "LOYALTY_POINTS",
    ],
)
def test_names_that_are_for_others_are_none_of_our_business(name):
    assert Settings.from_env({name: "x"}) == Settings()


def test_a_port_of_kubernetes_is_none_of_our_settings_and_a_number_is_a_mistake():
    assert Settings.from_env({"ORDERAPP_WEB_PORT": "tcp://10.0.0.1:6066"}) == Settings()
    with pytest.raises(SettingsError, match=r"^ORDERAPP_WEB_PORT is not a setting: "):
        Settings.from_env({"ORDERAPP_WEB_PORT": "6066"})


def test_a_misspelt_name_without_a_value_changes_nothing():
    assert Settings.from_env({"ORDERAPP_SERVICE": " "}) == Settings()


def test_every_name_is_asked_for_whatever_the_others_hold():
    nothing, much = Environ({}), Environ({**COUCHBASE, **PAYMENT, "ORDERAPP_SERVICES": "web"})
    Settings.read(nothing)
    Settings.read(much)

    assert nothing.names == much.names


def test_each_service_can_run_alone():
    for name in SERVICES:
        assert Settings.from_env({"ORDERAPP_SERVICES": name}).services == {name}


def test_topics_are_created_with_as_many_partitions_as_are_set():
    program = (
        "from orderapp.app import app; import orderapp.topics; "
        "print(*sorted({spec.partitions for spec in app.topic_specs}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "ORDERAPP_PARTITIONS": "12"},
        capture_output=True,
        text=True,
        check=True,
    )

    # One partition: those whose records have an order.
    assert done.stdout.split() == ["1", "12"]
