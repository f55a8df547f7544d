"""Couchbase's REST API: of one node, or of the next one while that is away."""

import base64
import http.client
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from couchbase_access import Access, SetupError

#: Management and query; with TLS they are 10000 higher.
MANAGEMENT, QUERY = 8091, 8093
#: Seconds for one request.
LIMIT = 20.0

# OpenSSL's codes of what is wrong with a certificate.
TIMES = {9: "is not valid yet", 10: "has expired"}
NAMES = {62, 64}


class NotReadyError(Exception):
    """Not there yet, or not ready: worth another try."""


class Rest:
    """Asks as the administrator."""

    def __init__(self, access: Access, ports: Mapping[int, int] | None = None) -> None:
        """`ports`: where a test has those of `MANAGEMENT` and `QUERY`."""
        self._hosts = [*access.hosts]
        self._scheme, further = ("http", 0) if access.tls is None else ("https", 10_000)
        self._ports = ports or {port: port + further for port in (MANAGEMENT, QUERY)}
        token = base64.b64encode(":".join(access.admin).encode()).decode()
        self._signature = f"Basic {token}"
        # Not by a proxy, whatever the environment says.
        no_proxy = urllib.request.ProxyHandler({})
        https = urllib.request.HTTPSHandler(context=access.tls)
        self._open = urllib.request.build_opener(no_proxy, https).open

    def get(self, path: str) -> tuple[int, str]:
        """What there is: the status and the text. Raises `NotReadyError` from 500 on."""
        status, text = self.request("GET", path)
        if status >= 500:
            raise NotReadyError(f"{path} answers with {status} {text[:200]}")
        return status, text

    def look(self, path: str) -> dict[str, Any]:
        """What there is; 404 is an error."""
        status, text = self.get(path)
        if status >= 400:
            raise SetupError(f"{path} answers with {status} {' '.join(text.split())[:400]}")
        return parsed(text, path)

    def expect_ok(
        self, method: str, path: str, form: Mapping[str, object], *, signed: bool = True
    ) -> None:
        """Change something."""
        status, text = self.request(method, path, form, signed=signed)
        if status >= 500:
            raise NotReadyError(f"{path} answers with {status} {text[:200]}")
        if status >= 400:
            raise SetupError(f"{path} answers with {status} {' '.join(text.split())[:400]}")

    def request(
        self,
        method: str,
        path: str,
        form: Mapping[str, object] | None = None,
        *,
        signed: bool = True,
        port: int = MANAGEMENT,
    ) -> tuple[int, str]:
        """Ask the node that answered last, or else the next one."""
        away = []
        for host in [*self._hosts]:
            where = f"{host}:{self._ports[port]}"
            body = None if form is None else urllib.parse.urlencode(form).encode()
            url = f"{self._scheme}://{where}{path}"
            request = urllib.request.Request(url, data=body, method=method)  # noqa: S310
            if signed:
                request.add_header("Authorization", self._signature)
            try:
                return self._answer(where, request)
            except NotReadyError as error:
                away.append(str(error))
                self._hosts.append(self._hosts.pop(0))
        raise NotReadyError("; ".join(away))

    def _answer(self, where: str, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with self._open(request, timeout=LIMIT) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise SetupError(_of_certificate(where, reason)) from error
            raise NotReadyError(f"{where}: {error}") from error


def _of_certificate(where: str, error: ssl.SSLCertVerificationError) -> str:
    """In orderapp's own words."""
    if error.verify_code in NAMES:
        host = where.rpartition(":")[0].strip("[]")
        return (
            f"{where}: the certificate is not for {host}; COUCHBASE_HOST needs a name that is "
            "in the certificate"
        )
    if error.verify_code in TIMES:
        return f"{where}: the certificate {TIMES[error.verify_code]}"
    return (
        f"{where}: the certificate is of an unknown CA ({error.verify_message}); "
        "COUCHBASE_CA_FILE has to name the file with the CA's certificate (or COUCHBASE_CA_PEM "
        "to be its text)"
    )


def parsed(text: str, path: str) -> dict[str, Any]:
    """An object of JSON. Raises `NotReadyError` for anything else."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NotReadyError(f"{path} answers with {text[:200]!r}")
    return found
