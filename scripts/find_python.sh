#!/bin/sh
# Print the Python that .venv is made from: $PYTHON where it is set, else the first of the usual names that is
# 3.11 or newer. Exit status 1 where there is none.
set -eu
for name in ${PYTHON:-python3.11 python3 python3.12 python3.13 python3.14}; do
    path=$(command -v "$name" 2>/dev/null) || continue
    if "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        printf '%s\n' "$path"
        exit 0
    fi
done
exit 1
