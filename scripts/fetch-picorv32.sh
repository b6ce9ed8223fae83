#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Puts PicoRV32 (rtl/requirements.txt) into build/third_party/picorv32: picorv32.v
# and its licence. Does nothing, fast, when they are there. Needs python3 with
# venv; pip is configured as this machine has it.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "fetch-picorv32: $*" >&2; exit 1; }

list=rtl/requirements.txt
folder=build/third_party/picorv32
fresh() { [ -f "$folder/picorv32.v" ] && [ -f "$folder/COPYING" ] && cmp -s "$list" "$folder/.requirements"; }

fresh && exit 0
mkdir -p build/third_party
exec 9>build/third_party/.lock
flock 9
fresh && exit 0 # another process was at it

command -v python3 >/dev/null 2>&1 || die "python3 is missing; scripts/setup.sh run installs it"
[ -x build/venv/bin/python ] || python3 -m venv build/venv || die "python3 -m venv failed; install python3-venv"
echo "fetch-picorv32: fetching $(sed -n 's/^\([A-Za-z0-9._-]*==[^ ]*\) .*/\1/p' "$list") into $folder" >&2
work=$(mktemp -d build/third_party/work-XXXXXX)
trap 'rm -rf "$work"' EXIT
build/venv/bin/python -m pip download -q --disable-pip-version-check --no-deps --require-hashes -r "$list" -d "$work" >&2 ||
  die "pip could not download the package of $list"
build/venv/bin/python -m zipfile -e "$work"/*.whl "$work/package" || die "the package of $list is not a wheel"
mkdir "$work/new"
for f in picorv32.v COPYING; do
  mv "$work/package/pythondata_cpu_picorv32/verilog/$f" "$work/new/$f" || die "the package of $list has no $f"
done
cp "$list" "$work/new/.requirements"
rm -rf "$folder"
mv "$work/new" "$folder"
