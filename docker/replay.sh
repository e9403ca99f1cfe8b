#!/usr/bin/env bash
# Builds the images from their Dockerfiles and runs them as compose.yaml does, on a machine without an engine of
# its own and without images: Debian's base is made by debootstrap, buildah builds, podman runs. Ends with a page
# read by a server that has no network, a read-only root, no capability and no root user.
# Needs root, and Debian's packages debootstrap, buildah, podman and runc (installed here where they are missing).
set -euo pipefail
cd "$(dirname "$0")/.."

work=${WORK:-/var/tmp/tritonocr-replay}   # kept between runs: the base and the layers
base=docker.io/library/debian:bookworm-slim
mkdir -p "$work/pip"

say() { printf '\n== %s\n' "$*"; }
# The limits are this shell's own: podman asks for more, which a sandbox may refuse.
engine() { podman --runtime runc --root "$work/storage" --runroot "$work/run" --log-level fatal "$@"; }
inside() { engine exec "$@"; }

stop_all() { engine rm --force --time 0 replay-gateway replay-server >/dev/null 2>&1 || true; }

need_tools() {
  for tool in debootstrap buildah podman runc; do
    command -v "$tool" >/dev/null || missing="${missing-} $tool"
  done
  [ -z "${missing-}" ] && return
  apt-get update -q
  # shellcheck disable=SC2086 # several names
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
}

make_base() {
  engine image exists "$base" && return
  debootstrap --variant=minbase bookworm "$work/root" >"$work/debootstrap.log"
  tar -C "$work/root" -c . | engine import - "$base" >/dev/null
  rm -rf "$work/root"
}

build() { # NAME
  # Where this machine's authorities are not everyone's, pip inside has to know them.
  cp "${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}" "$work/pip/authorities.crt"
  printf '[global]\ncert = /etc/replay/authorities.crt\n' >"$work/pip/pip.conf"
  buildah --root "$work/storage" --runroot "$work/run" build --isolation chroot --pull-never --format docker \
    --layers --quiet --volume "$work/pip:/etc/replay:ro" --volume "$work/pip/pip.conf:/etc/pip.conf:ro" \
    --file "docker/Dockerfile.$1" --tag "tritonocr-$1" . >"$work/build-$1.log" 2>&1 ||
    { tail -n 20 "$work/build-$1.log" >&2; exit 1; }
}

start() { # NAME IMAGE NETWORK [OPTION...]
  name=$1 image=$2 network=$3
  shift 3
  engine run --detach --name "$name" --network "$network" --read-only --cap-drop all \
    --security-opt no-new-privileges --tmpfs /tmp:rw,noexec,nosuid,nodev,size=1g,mode=1777 \
    --ulimit "nofile=$(ulimit -n):$(ulimit -n)" --ulimit nproc=4096:4096 "$@" "localhost/$image" >/dev/null
}

wait_until_healthy() { # NAME
  tries=0
  until engine healthcheck run "$1" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 120 ] || { engine logs "$1" >&2; echo "$1 is not healthy" >&2; exit 1; }
    sleep 1
  done
  echo "$1 is healthy"
}

need_tools
trap stop_all EXIT
stop_all
say "Debian's base"
make_base
for image in cpu gateway; do
  say "Dockerfile.$image"
  build "$image"
done
engine images --format '{{.Repository}} {{.Size}}' | grep tritonocr

say "The server, without a network"
start replay-server tritonocr-cpu none --shm-size 2g --memory 6g
wait_until_healthy replay-server
inside replay-server sh -c 'id -u; grep -E "CapEff|NoNewPrivs" /proc/1/status; touch /opt/no 2>&1 || true'

say "A page"
inside replay-server sh -c 'cd /tmp && python -m tritonocr.demo page.png &&
  tritonocr predict --url localhost:8001 --input page.png --format text' | tee "$work/page.txt"
grep -q 'Order 0123456789' "$work/page.txt"

say "The gateway beside it"
start replay-gateway tritonocr-gateway container:replay-server
wait_until_healthy replay-gateway
inside replay-server python -c '
import base64, json, pathlib, urllib.request
body = {"file": base64.b64encode(pathlib.Path("/tmp/page.png").read_bytes()).decode(), "fileType": 1}
request = urllib.request.Request(
    "http://127.0.0.1:8080/ocr", json.dumps(body).encode(), {"Content-Type": "application/json"}
)
answer = json.load(urllib.request.urlopen(request, timeout=60))
texts = answer["result"]["ocrResults"][0]["prunedResult"]["rec_texts"]
print(f"POST /ocr: {len(texts)} lines")
assert "Order 0123456789" in texts'

say "Stopping"
inside replay-server df -h /dev/shm /tmp
started=$(date +%s)
engine stop --time 40 replay-gateway >/dev/null
engine stop --time 50 replay-server >/dev/null
engine inspect replay-gateway replay-server --format '{{.Name}} ended with {{.State.ExitCode}}'
echo "after $(($(date +%s) - started)) s"
[ "$(engine inspect replay-server --format '{{.State.ExitCode}}')" = 0 ]
say "The images build, start without a network and read."
