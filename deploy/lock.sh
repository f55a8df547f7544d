#!/bin/sh
# Writes the lock files anew from setup.cfg: every package of the image with its hashes.
# Needs uv (part of the `dev` extra). Look at the difference before it is committed.
#   deploy/lock.sh            keep the versions, add what is missing
#   deploy/lock.sh --upgrade  take the newest ones
set -eu
cd "$(dirname "$0")/.."

lock() {
    output=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
        --custom-compile-command deploy/lock.sh --output-file "$output" "$@"
}

# With traces: they are off until OTEL_* variables ask for them.
lock deploy/requirements.txt setup.cfg --extra otel "$@"
lock deploy/requirements-embedded.txt setup.cfg --extra otel --extra embedded \
    --constraints deploy/requirements.txt "$@"
# What builds the wheel, and does not get into the image.
echo 'setuptools>=68' | lock deploy/requirements-build.txt - "$@"
# What makes faust-streaming's own wheel where it has none, by its [build-system] (linux/arm64).
printf '%s\n' 'setuptools>=69' setuptools_scm wheel 'cython>=3.1' |
    lock deploy/requirements-faust.txt - --constraints deploy/requirements.txt "$@"
