"""What shows that a request came through a proxy: who really sent it is not known then."""

import re
from functools import lru_cache

from aiohttp import HttpVersion11, web

#: Headers that proxies, load balancers and content delivery networks add.
_ADDED = re.compile(
    r"forwarded.*|via|max-forwards|front-end-https|remote-addr|akamai-.*|ali-cdn-.*|cdn-.*|cf-.*"
    r"|fastly-.*|fly-.*|incap-.*|proxy-.*|true-client-ip|((x-)?(cluster-)?client-?ip)"
    r"|x-(akamai|amz|appengine|arr|azure|envoy|forwarded|nf|original|proxy|remote|sucuri|vercel)"
    r"(-.*)?|x-amzn-.*|x-(host|real-ip|rewrite-url|scheme|script-name|url-scheme|varnish)",
    re.IGNORECASE,
)


@lru_cache(maxsize=1024)
def _is_added(name: str) -> bool:
    return _ADDED.fullmatch(name) is not None


def sign_of_proxy(request: web.BaseRequest) -> str | None:
    """What shows it, None when nothing does; a proxy may also leave no sign at all."""
    for name in request.headers:
        if _is_added(name[:64]):
            return str(name)
    # Which nginx, up to 1.29.6, speaks to what it serves unless it is told otherwise; programs
    # have not for decades.
    return None if request.version >= HttpVersion11 else "HTTP/1.0"
