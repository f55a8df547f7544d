"""What a container is to the program, without Docker: Linux namespaces around the image's
environment, its variables, its command and its user.

Needs root, like Docker. There is no network but loopback, and the root file system has nothing
but Python, the environment and the system's libraries, all read-only.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.deploy import known
from tests.deploy.recipe import environment, exec_form, last, parse
from tests.e2e.worker import end_of, eventually

UNSHARE = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc"]

SETUP = """
set -eu
root=$1; data=$2; shift 2
mount -t tmpfs -o mode=755 none "$root"
while [ "$1" != -- ]; do
    source=$1; target=$root$2; shift 2
    if [ -d "$source" ]; then mkdir -p "$target"; else : > "$target"; fi
    mount --bind "$source" "$target"
    mount -o remount,bind,ro "$target"
done
shift
for link in bin sbin lib lib64; do
    if [ -L "/$link" ]; then cp -P "/$link" "$root/$link"; fi
done
mkdir -p "$root/proc" "$root/dev" "$root/tmp" "$root$DATA"
for device in null zero urandom; do
    : > "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t proc proc "$root/proc"
mount --bind "$data" "$root$DATA"
mount -o remount,ro "$root"
ip link set lo up
exec chroot "$root" /usr/bin/setpriv $DROP -- /bin/sh -c 'cd "$0" && exec "$@"' "$DATA" "$@"
"""

# Of setpriv: the user, and not one capability.
_DROP = "--reuid={0} --regid={1} --clear-groups --no-new-privs --bounding-set=-all " + (
    "--inh-caps=-all"
)


def why_not() -> str | None:
    """The reason why there can be no jail here."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs Linux and root"
    for tool in ("unshare", "nsenter", "setpriv", "chroot", "mount", "ip"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    if subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode:
        return "this machine allows no namespaces"
    return None


class Jail:
    """A target of the Dockerfile, run from `directory`, which is as good as its image's."""

    def __init__(self, target: str, installed: Path, directory: Path, **mounts: Path) -> None:
        stages = parse(known.read("Dockerfile"))
        self.user = last(stages, target, "USER").split(":")
        self.data = directory / "data"
        self.data.mkdir(parents=True)
        os.chown(self.data, *map(int, self.user))
        self.root = directory / "root"
        self.root.mkdir()
        self.log_file = directory / "log"
        self.variables = {
            **environment(stages, target),
            "PATH": f"{installed}/bin:/usr/bin:/bin",
        }
        self.command = [
            *exec_form(last(stages, target, "ENTRYPOINT")),
            *exec_form(last(stages, target, "CMD")),
        ]
        health = exec_form(last(stages, target, "HEALTHCHECK"))
        self.health_command = [*health[:-1], "/healthcheck.py"]
        self.mounts = {
            "/usr": "/usr",
            "/etc": "/etc",
            sys.base_prefix: sys.base_prefix,
            str(installed): str(installed),
            str(known.ROOT / "deploy/healthcheck.py"): "/healthcheck.py",
            **{str(source): self.variables[name] for name, source in mounts.items()},
        }
        self.process: subprocess.Popen[bytes] | None = None
        #: How long `terminate` took.
        self.took = 0.0

    def start(self, **settings: str) -> "Jail":
        variables = {**self.variables, **settings}
        mounts = [word for pair in self.mounts.items() for word in pair]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(*UNSHARE, "sh", "-c", SETUP, "jail", str(self.root), str(self.data)),
                    *(*mounts, "--", *self.command),
                ],
                env={**variables, "DATA": known.DATA_DIR, "DROP": _DROP.format(*self.user)}
                | {"PATH": f"{variables['PATH']}:/usr/sbin:/sbin"},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        eventually(lambda: psutil.Process(self.process.pid).children(), "it has begun")
        return self

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def first(self) -> psutil.Process:
        """The process that is number 1 inside."""
        assert self.process is not None
        (child,) = psutil.Process(self.process.pid).children()
        return child

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as the same user: `docker exec`."""
        inside = [
            "nsenter",
            f"--target={self.first.pid}",
            "--mount",
            "--net",
            "--pid",
            "--root",
        ]
        drop = ["/usr/bin/setpriv", *_DROP.format(*self.user).split(), "--"]
        script = 'cd "$0" && exec "$@"'
        return subprocess.run(
            [*inside, *drop, "/bin/sh", "-c", script, known.DATA_DIR, *command],
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )

    def terminate(self) -> int:
        """SIGTERM to process number 1: `docker stop`; its exit status."""
        assert self.process is not None
        self.first.send_signal(signal.SIGTERM)
        status, self.took = end_of(self.process)
        return status

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()  # and with it process number 1, and so all the others
            self.process.wait()
