"""Any environment is either settings, or one line that says what is wrong with it."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from orderapp.environ import SettingsError
from orderapp.settings import Settings
from tests.deploy import known
from tests.fuzz import few
from tests.fuzz.values import texts

NAMES = sorted(known.settings())
SECRETS = ("CONFLUENT_API_SECRET", "COUCHBASE_PASSWORD", "ORDERAPP_API_TOKEN")
MARK = "marked\u2026secret"

#: What comes near to what is allowed, and what an environment really holds: bytes that are no
#: UTF-8 come as half characters.
NEAR = (
    "all", "fraud", "fraud,payment", "json", "text", "0", "1", "0.5", "1e309", "nan", "-1",
    "\u0661\u0662", "1_000", "9" * 5000, "localhost:9092", "a:0", "a:65536", "[::1]:9092",
    "a,b", "[" * 500, f"SASL_SSL://key:{MARK}@a:9092", f"couchbases://me:{MARK}@a",
    "127.0.0.1", "0.0.0.0", "example.org", "a.cloud.couchbase.com", "orders",
    "\udcff", "a\nb", "a\x00b", "/", "x" * 100_000,
)  # fmt: skip
VALUES = st.one_of(st.sampled_from(NEAR), texts, st.text(max_size=20).map(str.strip))


@st.composite
def environments(draw):
    environ = draw(st.dictionaries(st.sampled_from(NAMES), VALUES))
    for name in draw(st.lists(st.sampled_from(SECRETS), unique=True)):
        environ[name] = MARK
    # Misspelt, or nonsense.
    if draw(st.integers(0, 9)) == 0:
        environ["ORDERAPP_" + draw(texts)] = MARK
    return environ


@few(800)
@given(environments())
def test_an_environment_is_settings_or_one_line_about_what_is_wrong(environ):
    try:
        found = Settings.from_env(environ)
    except SettingsError as error:
        found = error
    if isinstance(found, SettingsError):
        said = str(found)
        name = said.split(maxsplit=1)[0].partition("=")[0]
        assert name in NAMES or " is not a setting: did you mean ORDERAPP_" in said
        assert len(said) < 500
        assert said.isprintable()
    else:
        said = repr(found)
        assert found.group
        assert 0 < found.order_interval <= 86_400
        assert found.max_attempts >= 1
        assert all(0 <= value <= 86_400 for value in found.faults.on().values())
        _check_host(found.web.host)
    assert MARK not in said
    assert ascii(MARK)[1:-1] not in said


def _check_host(host):
    if ":" in host:
        ipaddress.ip_address(host)
    assert " " not in host
