"""The settings of the web server: where it listens, who may read, and who may send orders."""

import re
from dataclasses import dataclass, field
from typing import Self

from orderapp.environ import Environ, SettingsError, is_host, wrong

#: Who may send orders; the default is the last one where there is a token, else the first.
TAKERS = ("local", "anyone", "token")

#: What a trace's id takes the place of in `trace_url`.
TRACE_PLACE = "{trace_id}"
#: A link, without what ends one in text or in markup.
_LINK = re.compile(r"https?://([^/?#@\\]+)(/[!#-;=?-\[\]_a-~]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Web:
    """See the table in docs/settings.md."""

    host: str = "127.0.0.1"
    #: Names in the header `Host` that are answered, besides its own; `*` is any.
    allowed_hosts: tuple[str, ...] = ()
    take_orders: str = TAKERS[0]
    api_token: str | None = field(default=None, repr=False)
    #: Where `/metrics` is shown: `web`, `off`, or a port of its own.
    metrics: str | int = "web"
    #: What the page calls this deployment, such as `staging`; None: nothing.
    environment: str | None = None
    #: Where the page's links to a trace lead, with `TRACE_PLACE` in it; None: there are none.
    trace_url: str | None = None
    #: Seconds from one check of all orders to the next; 0: none but those that are asked for.
    reconcile_every: float = 0.0
    #: CloudWatch's namespace for the lag, which the log has for it; None: the log has none.
    lag_namespace: str | None = None

    @classmethod
    def from_env(cls, env: Environ) -> Self:
        """Read them."""
        token = env.get("ORDERAPP_API_TOKEN")
        name = "ORDERAPP_TAKE_ORDERS"
        take_orders = env.get(name) or TAKERS[-1 if token else 0]
        if take_orders not in TAKERS:
            wrong(name, take_orders, " or ".join(TAKERS))
        if take_orders == "token" and token is None:
            raise SettingsError(f"ORDERAPP_API_TOKEN is not set, but {name}=token is: set it")
        return cls(
            host=env.address("ORDERAPP_WEB_HOST", cls.host),
            allowed_hosts=env.host_names("ORDERAPP_ALLOWED_HOSTS"),
            take_orders=take_orders,
            api_token=token,
            metrics=_metrics(env),
            environment=env.text(
                "ORDERAPP_ENVIRONMENT", r"[\w.-]{1,20}", "1 to 20 letters, digits and . _ -"
            ),
            trace_url=_trace_url(env),
            reconcile_every=_reconcile_every(env),
            lag_namespace=env.text(
                "ORDERAPP_LAG_NAMESPACE",
                # AWS/ begins those of AWS itself.
                r"(?!AWS/)[A-Za-z0-9._/#-]{1,255}",
                "1 to 255 letters, digits and . _ / # -, not beginning with AWS/",
            ),
        )


def _trace_url(env: Environ) -> str | None:
    name = "ORDERAPP_TRACE_URL"
    value = env.get(name)
    if value is None:
        return None
    match = _LINK.fullmatch(value)
    if not match or not is_host(match[1]) or TRACE_PLACE not in match[2]:
        # What stands behind a question mark may be a secret.
        shown = value if "?" not in value else f"{value.split('?')[0]}?…"
        wrong(name, shown, f"http[s]://host[:port]/… with {TRACE_PLACE} behind the host")
    return value


def _reconcile_every(env: Environ) -> float:
    name = "ORDERAPP_RECONCILE_EVERY"
    seconds = env.seconds(name, 0.0, 0)
    if 0 < seconds < 60:
        wrong(name, f"{seconds:g}", "0 (never), or a number of seconds from 60 to 86400")
    return seconds


def _metrics(env: Environ) -> str | int:
    name = "ORDERAPP_METRICS"
    value = env.get(name) or Web.metrics
    if value in {"web", "off"}:
        return value
    text = str(value)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 65535):
        wrong(name, text, "web, off, or a port of its own from 1 to 65535")
    return int(text)
