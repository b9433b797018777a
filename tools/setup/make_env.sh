#!/bin/sh
# Makes .venv from requirements.lock with the Python given as first argument; called by make.
# With `test` as second argument: adds the packages of requirements-test.lock to it.
# The stamp, a copy of the lock, is written last: an installation that fails leaves none.
set -eu
python=$1
lock=requirements.lock
stamp=.venv/.lock-stamp
if [ "${2-}" = test ]; then
    lock=requirements-test.lock
    stamp=.venv/.test-stamp
fi

# A lock whose date changed but not its text (a branch was switched) asks for nothing.
if cmp -s "$lock" "$stamp" && .venv/bin/python -c ''; then
    touch "$stamp"
    exit 0
fi

refuse() {
    echo "Groupwise needs Python 3.11 or later with venv and pip, and $1." \
        "Name another Python like this: make env PYTHON=python3.12" >&2
    exit 1
}

check_python() {
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
}

# Python compiles a module where it first imports it, and most that are installed are never imported. Where it
# may not keep what it compiled, all are compiled now.
with_uv() {
    uv pip install --quiet --python .venv/bin/python \
        ${PYTHONDONTWRITEBYTECODE:+--compile-bytecode} --require-hashes -r "$lock"
}
with_pip() {
    compiled=--no-compile
    [ -z "${PYTHONDONTWRITEBYTECODE-}" ] || compiled=--compile
    .venv/bin/python -m pip install -qq --no-input --disable-pip-version-check \
        "$compiled" --require-hashes -r "$lock"
}

if command -v uv >/dev/null 2>&1; then
    tool=uv
    time="less than a minute, once"
else
    tool=pip
    time="one or two minutes, once; where uv is installed, a third of that"
fi
if [ "$lock" = requirements.lock ]; then
    check_python
    echo "Making .venv from $lock with $tool ($time)"
    "$python" -m venv --clear .venv
else
    echo "Adding to .venv what tests and style need, $lock, with $tool"
fi

# uv does not read the settings of pip, a mirror for example.
if [ "$tool" = uv ] && ! with_uv; then
    echo "uv could not install the packages in $lock, and says why above: trying pip." >&2
    tool=pip
fi
if [ "$tool" = pip ] && ! with_pip; then
    echo "The packages in $lock could not be installed: pip says why above." >&2
    exit 1
fi
# So is the workflow itself, which every job would compile anew.
if [ "$lock" = requirements.lock ] && [ -n "${PYTHONDONTWRITEBYTECODE-}" ]; then
    .venv/bin/python -m compileall -qq workflow/scripts tools || :
fi
cp "$lock" "$stamp.new"
mv "$stamp.new" "$stamp"
