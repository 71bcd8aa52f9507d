# Shared by ops/run, ops/test and ops/bench: find what is missing, install it, or say in one sentence what stands in the way.
# shellcheck shell=bash

# The oldest Swift whose compiler accepts this package.
readonly SWIFT_WANTED=6.3

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

# at_least HAVE WANTED: true when version HAVE is WANTED or newer.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

need_swift() {
  command -v swift >/dev/null || die "Swift $SWIFT_WANTED is missing: install it from https://swift.org/install and put it on the PATH."
  local have
  have=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1)
  at_least "${have:-0}" "$SWIFT_WANTED" || die "Swift $SWIFT_WANTED or newer is needed, and the swift on the PATH is ${have:-not working}."
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# missing_packages NAME…: prints those that dpkg does not have installed.
missing_packages() {
  local name
  for name in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)" = installed ] || printf '%s ' "$name"
  done
}

# need_packages NAME…: installs the Debian packages that are missing, and touches nothing when none is.
need_packages() {
  command -v dpkg-query >/dev/null || die "This is not a Debian system: install these by hand, or use Debian 12: $*."
  local missing
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null || die "apt-get is missing, and these Debian packages are needed: $missing."
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "Run this once as root, or install sudo: these Debian packages are missing: $missing."
  say "Installing Debian packages: $missing"
  local log
  log=$(mktemp)
  if ! install_quietly "$missing" >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    rm -f "$log"
    die "apt-get could not install $missing(is the network up, and is this Debian 12?)"
  fi
  rm -f "$log"
}

# Debian starts a daemon as soon as its package is unpacked. Tests start their own on their own ports, so for the
# length of the installation a policy says no; a policy that is already there is the machine's own and stays.
install_quietly() {
  local policy=/usr/sbin/policy-rc.d placed='' status=0
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod 755 "$policy" && placed=1
  fi
  # shellcheck disable=SC2086 # a list of package names
  { as_root apt-get -q -o DPkg::Lock::Timeout=300 update \
    && as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends $1; } || status=$?
  [ -z "$placed" ] || as_root rm -f "$policy"
  return "$status"
}

# pick_python: prints a python3 that is new enough and can make virtual environments; installs Debian's if none is.
pick_python() {
  local candidate
  for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return 0
    fi
  done
  need_packages python3 python3-venv
  /usr/bin/python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' || die "Python 3.11 or newer is needed."
  echo /usr/bin/python3
}

# pick_python2: prints a Python 2.7 that works; false when there is none. pyenv's own `python2.7` fails unless one is chosen.
pick_python2() {
  local candidate
  for candidate in python2.7 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python2.7; do
    if "$candidate" -c 'import ssl, sys; sys.exit(sys.version_info[:2] != (2, 7))' 2>/dev/null; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return 0
    fi
  done
  return 1
}

# need_venv DIR REQUIREMENTS: makes the virtual environment once, and again only when the requirements change.
need_venv() {
  local dir=$1 wanted=$2 python
  cmp -s "$wanted" "$dir/installed.txt" && "$dir/bin/python" -c '' 2>/dev/null && return 0
  python=$(pick_python)
  say "Installing Python packages into $dir"
  "$python" -m venv --clear "$dir" || die "$python could not make a virtual environment in $dir."
  "$dir/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" || die "pip could not install $wanted (is PyPI reachable?)"
  cp "$wanted" "$dir/installed.txt"
}

# port_is_free PORT: true when nothing listens on this loopback port.
port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
