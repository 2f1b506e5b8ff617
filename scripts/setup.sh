#!/bin/sh
# Make .venv and install Blitz into it, with the versions in constraints.txt. Called by make when pyproject.toml or
# constraints.txt is newer than .venv/.set-up; run by hand, it may be repeated at any time.
set -eu
cd "$(dirname "$0")/.."

python=$(scripts/find_python.sh) || {
    echo "Blitz needs Python 3.11 or newer${PYTHON:+, and PYTHON=$PYTHON is not that}. On Debian: sudo apt-get install python3 python3-venv" >&2
    exit 1
}

# A virtual environment breaks when its folder is moved or its Python is upgraded; then it is made again.
if ! .venv/bin/python -c 'import pip' 2>/dev/null || ! .venv/bin/pip --version >/dev/null 2>&1; then
    echo "Making the virtual environment .venv with $("$python" --version)."
    rm -rf .venv
    "$python" -m venv .venv
fi

echo "Installing Blitz and what it needs into .venv (about 700 MB the first time)."
# The variables give the same versions to the isolated environment in which pip builds the project;
# older versions of pip read the first, newer ones the second.
PIP_CONSTRAINT="$PWD/constraints.txt" PIP_BUILD_CONSTRAINT="$PWD/constraints.txt" PIP_DISABLE_PIP_VERSION_CHECK=1 \
    .venv/bin/python -m pip install --quiet -e ".[server,gui,analysis,export,test,docs,lint]" -c constraints.txt
touch .venv/.set-up
