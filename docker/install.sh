#!/bin/sh
# Installs TritonOCR from this checkout into a virtual environment, which is made where there is none.
#
#   docker/install.sh [--lock FILE] gateway|server|dev VENV
#
# gateway: the client distribution, with command line and gateway. server: that and the server.
# dev: that and what the tests need.
#
# With --lock (the images): the versions that FILE names and no others, as wheels only, each checked against its
# hash, and copies of ours. Without (make env, make demo): what pyproject.toml allows, and ours as they stand here.
# PYTHON names the interpreter of a new environment.
set -eu

usage() {
  echo "usage: $0 [--lock FILE] gateway|server|dev VENV" >&2
  exit 2
}

lock=
if [ "${1-}" = --lock ]; then
  [ "$#" -ge 2 ] || usage
  lock=$2
  shift 2
fi
[ "$#" = 2 ] || usage
what=$1 venv=$2
checkout=$(dirname "$0")/..

pip() { "$venv/bin/python" -m pip install --disable-pip-version-check --no-input "$@"; }

# On a terminal, pip shows each package with its size and a bar; else it shows what it downloads, line by line.
install_what_is_allowed() {
  case $what in
    gateway) pip --editable "$checkout/client[gateway]" ;;
    server) pip --editable "$checkout/client[cli,http,viz,gateway]" --editable "$checkout" ;;
    dev) pip --editable "$checkout/client[cli,http,viz,gateway]" --editable "${checkout}[dev]" ;;
  esac
}

install_what_is_locked() {
  # It names everything, down to the build tool of our own two.
  pip --quiet --require-hashes --only-binary :all: --no-deps --requirement "$lock"
  pip --quiet --no-deps --no-index --no-build-isolation "$checkout/client"
  [ "$what" = gateway ] || pip --quiet --no-deps --no-index --no-build-isolation "$checkout"
}

case $what in
  gateway | server) ;;
  dev) [ -z "$lock" ] || { echo "$0: dev has no lock file" >&2; exit 2; } ;;
  *) usage ;;
esac
[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
if [ -n "$lock" ]; then install_what_is_locked; else install_what_is_allowed; fi
