#!/bin/sh
# Runs make in the folder one is in, a checkout of Groupwise, with the environment of this image:
# `report`, `examples`, or any other target with its variables.
set -eu
image=$(dirname "$(dirname "$0")")

if [ ! -f Makefile ] || [ ! -f requirements.lock ]; then
    echo "There is no Groupwise in this folder: run the container in the project's own folder," \
        "with Docker: --volume \"\$PWD:/study\"." >&2
    exit 1
fi
if ! cmp -s requirements.lock "$image/requirements.lock"; then
    echo "This image was built from another requirements.lock than that of this folder:" \
        "build it again from here." >&2
    exit 1
fi
[ $# -gt 0 ] || set -- report
# The image's environment is ready, whatever the dates of the files in this folder say.
exec make -o .venv/.lock-stamp VENV="$image/.venv" "$@"
