#!/bin/sh
# Install the programs that tests use and that are no Python packages: Debian's Chromium with its driver,
# poppler's pdftotext, and PostgreSQL's server.
set -eu
missing=
command -v chromium >/dev/null && command -v chromedriver >/dev/null || missing="chromium chromium-driver"
command -v pdftotext >/dev/null || missing="$missing poppler-utils"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$missing postgresql"
if [ -z "$missing" ]; then exit 0; fi
if [ "$(id -u)" != 0 ]; then
  echo "Some tests need Debian's packages $missing." >&2
  exit 0 # without them, those tests fail or are skipped, and say so
fi
apt-get update -q
# shellcheck disable=SC2086  # a list of packages
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
