#!/bin/sh
# The browser of the page's tests: Debian's Chromium and its driver, unless they are there.
set -eu
if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then exit 0; fi
if [ "$(id -u)" != 0 ]; then
  echo "The page's tests need Debian's packages chromium and chromium-driver." >&2
  exit 0 # without them those tests say so
fi
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium chromium-driver
