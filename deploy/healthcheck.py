"""The image's health check: exit status 0 while /healthz of this container answers with 200, or
the path that is its argument.

Only the standard library, and not even that of `site`: it runs every few seconds.
"""

import http.client
import os
import sys

#: Faust's own port, and less than the time that Docker and ECS give the check.
PORT, SECONDS = 6066, 2.5


def port_of(command: list[str]) -> int:
    """The port of a worker that was started by this command."""
    # click takes `-p 1`, `-p1`, `--web-port 1` and `--web-port=1`, and of several the last one.
    if "worker" in command:
        for word, after in reversed([*zip(command, [*command[1:], ""], strict=True)]):
            for name in ("-p", "--web-port"):
                text = after if word == name else word.removeprefix(name).lstrip("=")
                if word.startswith(name) and text.isdigit():
                    return int(text)
    chosen = os.environ.get("WEB_PORT", "")
    return int(chosen) if chosen.isdigit() else PORT


def main(path: str = "/healthz") -> int:
    """Ask once."""
    try:
        # Not pathlib, which takes as long to import as all else here.
        with open("/proc/1/cmdline", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            port = port_of(file.read().split("\0"))
    except OSError:  # not in a container
        port = PORT
    try:
        # Not urllib, which would ask a proxy of the environment.
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.stdout.write(f"no answer on port {port}: {error}\n")
        return 1
    sys.stdout.write(f"{path} answers with {status}\n")
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
