#!/bin/sh
# Writes the lock files of the images anew: the newest versions that pyproject.toml allows, with their hashes.
# Each is made for its image's Python and C library. UV names the uv to use.
set -eu
cd "$(dirname "$0")/.."

lock() { # NAME PYTHON GLIBC PROJECT [OPTION...]
  name=$1 python=$2 glibc=$3 project=$4
  shift 4
  # The build tool of our own packages comes from the same lock.
  sed -n 's/^requires = \["\(.*\)"\]$/\1/p' "$project" |
    "${UV:-uv}" pip compile --quiet --upgrade --generate-hashes --only-binary :all: --no-emit-package tritonocr \
      --python-version "$python" --python-platform "x86_64-manylinux_2_$glibc" \
      --custom-compile-command "make lock" --output-file "docker/requirements-$name.lock" "$@" "$project" -
}

lock cpu 3.11 36 pyproject.toml                                        # Debian bookworm
lock gateway 3.11 36 client/pyproject.toml --extra gateway             # likewise
# NVIDIA's image has its own tritonserver; for its Python tritonclient 2.51 asks for a package without wheels.
lock server 3.12 39 pyproject.toml --no-emit-package nvidia-pytriton --override docker/overrides-server.txt
