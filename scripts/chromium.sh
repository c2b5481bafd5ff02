#!/bin/sh
# Debian's Chromium, for the tests in a browser: installed where there is none and we may. Without it they skip.
set -eu
if command -v chromium >/dev/null; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "chromium.sh: no Chromium, and no right to install it: apt-get install chromium" >&2
    exit 0
fi
echo "  installing Debian's chromium ..."
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get -qq update && apt-get -qq install --no-install-recommends chromium fonts-dejavu-core >/dev/null; }; then
    echo "chromium.sh: Chromium could not be installed: the tests in a browser are skipped" >&2
fi
