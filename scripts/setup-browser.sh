#!/usr/bin/env bash
# Has a Chromium for the tests of the panel. As root on Debian or Ubuntu it installs one; otherwise it says what to do,
# and those tests are skipped.
set -euo pipefail

for program in chromium chromium-browser google-chrome; do
  if command -v "$program" >/dev/null; then exit 0; fi
done
advice="the panel's tests in a browser are skipped without Chromium: sudo apt-get install chromium fonts-dejavu-core"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "$advice" >&2
  exit 0
fi
echo "Installing chromium"
export DEBIAN_FRONTEND=noninteractive
packages=(chromium fonts-dejavu-core)
apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null 2>&1 ||
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null; } ||
  echo "apt-get could not install ${packages[*]}; $advice" >&2
