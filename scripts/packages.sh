#!/bin/sh
# What Blitz needs from the operating system, before pip can do the rest: a Python with venv, and the shared
# libraries that Qt's wheels expect to find. Looks for the files, not for package names, because those differ from one
# release to the next. On Debian and its relatives, installs what is missing where it may (as root, or with
# a sudo that asks nothing); otherwise says what to type.
#
# usage: scripts/packages.sh [--qt-optional] [--firmware] [--postgresql] [--chromium]
#   --qt-optional   missing Qt libraries are said, but no failure: for a server without a screen
#   --firmware      also what builds the sketches in firmware/ and emulates their chips
#   --postgresql    also PostgreSQL's programs, for its tests, which are skipped without; no server of it is started
#   --chromium      also the browser, for the tests of the page for a phone, which are skipped without
#
# BLITZ_NO_INSTALL=1 never installs, only says.
set -eu

qt_optional=no
with_firmware=no
with_postgresql=no
with_chromium=no
for option in "$@"; do
    case $option in
        --qt-optional) qt_optional=yes ;;
        --firmware) with_firmware=yes ;;
        --postgresql) with_postgresql=yes ;;
        --chromium) with_chromium=yes ;;
        *) printf '%s\n' "scripts/packages.sh does not know $option." >&2; exit 2 ;;
    esac
done

# soname:package, from ldd of QtGui, QtWidgets and the platform plugins xcb (window) and offscreen (tests) of PyQt5.
QT_LIBRARIES="
libGL.so.1:libgl1
libEGL.so.1:libegl1
libglib-2.0.so.0:libglib2.0-0
libgthread-2.0.so.0:libglib2.0-0
libfontconfig.so.1:libfontconfig1
libfreetype.so.6:libfreetype6
libdbus-1.so.3:libdbus-1-3
libX11.so.6:libx11-6
libX11-xcb.so.1:libx11-xcb1
libXext.so.6:libxext6
libxkbcommon.so.0:libxkbcommon0
libxkbcommon-x11.so.0:libxkbcommon-x11-0
libxcb.so.1:libxcb1
libxcb-icccm.so.4:libxcb-icccm4
libxcb-image.so.0:libxcb-image0
libxcb-keysyms.so.1:libxcb-keysyms1
libxcb-randr.so.0:libxcb-randr0
libxcb-render.so.0:libxcb-render0
libxcb-render-util.so.0:libxcb-render-util0
libxcb-shape.so.0:libxcb-shape0
libxcb-shm.so.0:libxcb-shm0
libxcb-sync.so.1:libxcb-sync1
libxcb-xfixes.so.0:libxcb-xfixes0
libxcb-xinerama.so.0:libxcb-xinerama0
libxcb-xkb.so.1:libxcb-xkb1
"

# file:package, any one of which that is missing brings its package.
FIRMWARE_FILES="
/usr/bin/make:make
/usr/bin/cc:gcc
/usr/include/stdio.h:libc6-dev
/usr/bin/avr-gcc:gcc-avr
/usr/lib/avr/include/avr/io.h:avr-libc
/usr/share/arduino/hardware/arduino/avr/cores/arduino/Arduino.h:arduino-core-avr
/usr/include/simavr/sim_avr.h:libsimavr-dev
/usr/include/libelf.h:libelf-dev
"

say() { printf '%s\n' "$*" >&2; }

missing_python() {
    # A virtual environment that works answers the question at once.
    if [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null; then
        return 0
    fi
    python=$(scripts/find_python.sh) || { printf 'python3 python3-venv\n'; return 0; }
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return 0
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$(readlink -f "$python")" = "$(readlink -f /usr/bin/python3 || :)" ]; then
        printf 'python3-venv\n'
    else
        printf 'python%s-venv\n' "$version"
    fi
}

missing_qt() {
    [ "$(uname -s)" = Linux ] || return 0
    known=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null || :)
    [ -n "$known" ] || return 0 # no list of libraries here (Alpine, NixOS): Qt itself will tell
    for entry in $QT_LIBRARIES; do
        case $known in
            *"	${entry%%:*} ("*) ;;
            *) printf '%s\n' "${entry##*:}" ;;
        esac
    done | sort -u
    fonts=""
    for folder in /usr/share/fonts /usr/local/share/fonts "${HOME:-/nonexistent}/.local/share/fonts" \
        "${HOME:-/nonexistent}/.fonts"; do
        [ -z "$fonts" ] && [ -d "$folder" ] || continue
        fonts=$(find -L "$folder" \( -name '*.tt[fc]' -o -name '*.otf' \) -print 2>/dev/null | head -n 1)
    done
    [ -n "$fonts" ] || printf 'fonts-dejavu-core\n'
}

missing_firmware() {
    [ "$with_firmware" = yes ] || return 0
    for entry in $FIRMWARE_FILES; do
        [ -e "${entry%%:*}" ] || printf '%s\n' "${entry##*:}"
    done
}

missing_postgresql() {
    [ "$with_postgresql" = yes ] || return 0
    set -- /usr/lib/postgresql/*/bin/initdb
    [ -x "$1" ] || command -v initdb >/dev/null 2>&1 || printf 'postgresql\n'
}

missing_chromium() {
    [ "$with_chromium" = yes ] || return 0
    command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || printf 'chromium\n'
}

# Debian makes a database server of its own with the package, and starts it, unless it is told not to.
want_no_cluster() {
    case $optional_packages in *postgresql*) ;; *) return 0 ;; esac
    [ ! -e /etc/postgresql-common/createcluster.conf ] || return 0
    as_root mkdir -p /etc/postgresql-common
    printf 'create_main_cluster = false\n' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
}

# Names in this release: libglib2.0-0 became libglib2.0-0t64 in Debian 13 and Ubuntu 24.04.
named_here() {
    for package in "$@"; do
        if [ -z "$(apt-cache show "$package" 2>/dev/null)" ] && [ -n "$(apt-cache show "${package}t64" 2>/dev/null)" ]; then
            package=${package}t64
        fi
        printf '%s ' "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
    [ -z "${BLITZ_NO_INSTALL:-}" ] || return 1
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null
}

find_missing() {
    needed_packages="$(missing_python) $(missing_firmware)"
    needed_packages=${needed_packages# }
    needed_packages=${needed_packages% }
    qt_packages=$(missing_qt)
    optional_packages="$(missing_postgresql) $(missing_chromium)"
    optional_packages=${optional_packages# }
    optional_packages=${optional_packages% }
    [ -n "$needed_packages$qt_packages$optional_packages" ] || exit 0
}

find_missing

# shellcheck disable=SC2086 # words are package names
if command -v apt-get >/dev/null 2>&1; then
    if may_install; then
        say "Installing what Blitz needs from the system:" $needed_packages $qt_packages $optional_packages
        export DEBIAN_FRONTEND=noninteractive
        as_root apt-get update -qq >&2 || say "apt-get update failed; trying with the package lists that are there."
        want_no_cluster
        as_root apt-get install -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends \
            $(named_here $needed_packages $qt_packages $optional_packages) >&2 ||
            say "apt-get could not install these packages; its own words stand above."
        find_missing
    fi
    packages=$(named_here $needed_packages $qt_packages $optional_packages)
    if command -v sudo >/dev/null 2>&1 && [ "$(id -u)" != 0 ]; then
        say "Blitz needs packages that are not installed, and may not install them itself. Type:"
        sudo="sudo "
    else
        say "Blitz needs packages that are not installed. Type, as root:"
        sudo=""
    fi
    say ""
    say "    ${sudo}apt-get update && ${sudo}apt-get install -y ${packages% }"
    say ""
else
    say "Blitz needs Python 3.11 or newer with venv, for its client some libraries for Qt 5, and for firmware-test the AVR"
    say "compiler, avr-libc, the Arduino core and simavr. Missing, by their names"
    say "in Debian (install the like of them with your system's package manager):" $needed_packages $qt_packages $optional_packages
fi

[ -z "$needed_packages" ] || exit 1
[ -n "$qt_packages" ] || exit 0
[ "$qt_optional" = yes ] || exit 1
say "The server runs without them; the desktop client and the tests do not."
