#!/bin/sh
# Reads the demo page on each version of Python that is supported and installed here.
#
#   tests/read-on-pythons.sh [VERSION...]
#
# Each version has an environment of its own in build/. Without arguments the versions are 3.10 to 3.13. A version
# that is not installed is skipped.
set -eu
cd "$(dirname "$0")/.."
[ "$#" -gt 0 ] || set -- 3.10 3.11 3.12 3.13

find_python() { # VERSION
  for python in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python3; do
    "$python" -c "import sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null &&
      { echo "$python"; return; }
  done
  return 1
}

expected="Order 0123456789"
count=0
for version in "$@"; do
  if ! python=$(find_python "$version"); then
    echo "Python $version: not installed, skipped"
    continue
  fi
  venv=build/python-$version
  PYTHON=$python docker/install.sh server "$venv"
  "$venv/bin/python" -m tritonocr.demo "$venv/page.png"
  text=$("$venv/bin/tritonocr" predict --input "$venv/page.png" --format text)
  case $text in
    *"$expected"*) ;;
    *) echo "Python $version: got the text: $text" >&2 && exit 1 ;;
  esac
  "$venv/bin/python" -c 'import numpy, sys
print("Python", sys.version.split()[0], "with NumPy", numpy.__version__, "reads the page")'
  count=$((count + 1))
done
[ "$count" -gt 0 ] || { echo "no supported Python is installed" >&2; exit 1; }
