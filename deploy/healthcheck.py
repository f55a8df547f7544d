"""The image's health check: exit status 0 while /healthz of this container answers with 200.

Only the standard library, and not even that of `site`: it runs every few seconds.
"""

import http.client
import sys

#: Faust's own port, and less than the time that Docker and ECS give the check.
PORT, SECONDS = 6066, 2.5


def main() -> int:
    """Ask once."""
    try:
        # Not urllib, which would ask a proxy of the environment.
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=SECONDS)
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.stdout.write(f"no answer on port {PORT}: {error}\n")
        return 1
    sys.stdout.write(f"/healthz answers with {status}\n")
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
