#!/bin/sh
# Writes the lock files of the images anew: the newest versions that pyproject.toml allows, with their hashes.
# Each is made for its image's Python and C library. UV names the uv to use.
set -eu
cd "$(dirname "$0")/.."

lock() { # NAME PYTHON GLIBC PROJECT [OPTION...]
  name=$1 python=$2 glibc=$3 project=$4
  shift 4
  # The build tool of our own packages comes from the same lock. Left out are our own packages, and OpenVINO's
  # reports to its makers, which it does without.
  sed -n 's/^requires = \["\(.*\)"\]$/\1/p' "$project" |
    "${UV:-uv}" pip compile --quiet --upgrade --generate-hashes --only-binary :all: \
      --no-emit-package tritonocr --no-emit-package openvino-telemetry \
      --python-version "$python" --python-platform "x86_64-manylinux_2_$glibc" \
      --custom-compile-command "make lock" --output-file "docker/requirements-$name.lock" "$@" "$project" -
}

lock cpu 3.11 36 pyproject.toml
lock gateway 3.11 36 client/pyproject.toml --extra gateway --extra postgresql
# onnxruntime-gpu replaces onnxruntime in the GPU image: both install the same module.
lock server 3.12 39 pyproject.toml docker/requirements-server.in --no-emit-package onnxruntime
