#!/bin/sh
# Makes .venv from requirements.lock with the Python given as argument; called by make.
# The stamp, a copy of the lock, is written last: an installation that fails leaves none.
set -eu
python=$1
stamp=.venv/.lock-stamp

# A lock whose date changed but not its text (a branch was switched) asks for nothing.
if cmp -s requirements.lock "$stamp" && .venv/bin/python -c ''; then
    touch "$stamp"
    exit 0
fi

refuse() {
    echo "Groupwise needs Python 3.11 or later with venv and pip, and $1." \
        "Name another Python like this: make env PYTHON=python3.12" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 || refuse "there is no '$python' here"
problem=$("$python" -c '
import sys
if sys.version_info < (3, 11):
    print("is Python %d.%d" % sys.version_info[:2])
else:
    try:
        import ensurepip, venv
    except ImportError:
        print("comes without them (Debian, Ubuntu: apt install python3-venv)")
') || problem="does not run"
[ -z "$problem" ] || refuse "'$python' $problem"

echo "Making .venv from requirements.lock (about two minutes, once)"
"$python" -m venv --clear .venv
if ! .venv/bin/python -m pip install -qq --no-input --disable-pip-version-check \
    --require-hashes -r requirements.lock; then
    echo "The packages in requirements.lock could not be installed: pip says why above." >&2
    exit 1
fi
cp requirements.lock "$stamp.new"
mv "$stamp.new" "$stamp"
