#!/usr/bin/env bash
# A Docker engine for the container tests, where none answers.
#
#   tests/deploy/engine.sh DIRECTORY     brings it, into this directory alone
#   . DIRECTORY/env                      lets `docker` find it
#   kill -9 $(cat DIRECTORY/pid)         ends it, with all its containers and mounts
#
# Needs root and Debian's packages. Docker and Compose are those of Debian 13, whatever this
# machine has: older ones can't do all that docker-compose.yml asks for. There is no network but
# the host's, and those that Compose makes, which lead nowhere.
#
# Where the image that the Dockerfile is FROM can't be pulled, its stand-in is Debian 13's Python,
# made to look like it: the same series of Python on the same release, but another build of it.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
directory=$(realpath "$1")
cd "$directory"
export TMPDIR=$directory
mkdir programs config

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends iptables mmdebstrap runc >/dev/null

# The stand-in, and Docker from the same lists of packages. Debian's Python refuses pip, has
# another name, and a sitecustomize.py that hides the image's.
mmdebstrap --quiet --mode=root --variant=essential \
    --include=libstdc++6,passwd,python3-pip,python3-venv \
    --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --customize-hook='cd "$1"/usr/lib/python3.*/ && rm EXTERNALLY-MANAGED sitecustomize.py' \
    --customize-hook='ln -s python3 "$1/usr/bin/python"' \
    --customize-hook='APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get download -qq \
        containerd docker-buildx docker-cli docker-compose docker.io' \
    trixie base.tar
for package in ./*.deb; do
    dpkg -x "$package" programs
done
ln -s "$directory/programs/usr/libexec/docker/cli-plugins" config/

# In namespaces of its own, so that nothing outlives it. It changes no rule of the firewall.
PATH=$directory/programs/usr/bin:$directory/programs/usr/sbin:$PATH setsid \
    unshare --mount --pid --fork --kill-child --mount-proc \
    dockerd --host "unix://$directory/socket" --data-root "$directory/data" \
    --exec-root "$directory/exec" --pidfile "$directory/dockerd.pid" --log-level warn \
    --bridge none --iptables=false --ip6tables=false --ip-forward=false \
    </dev/null >log 2>&1 &
echo $! >pid
cat >env <<END
export PATH=$directory/programs/usr/bin:\$PATH
export DOCKER_HOST=unix://$directory/socket DOCKER_CONFIG=$directory/config
END

. ./env
for _ in {1..60}; do
    ! docker version >/dev/null 2>&1 || break
    sleep 0.5
done
image=$(sed -n 's/^FROM \(\S*\) AS slim$/\1/p' "$here/../../Dockerfile")
docker pull --quiet "$image" 2>/dev/null ||
    docker import --change 'ENV PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin' base.tar "$image"
rm -r base.tar ./*.deb
