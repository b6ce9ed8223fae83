#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the images of the control processor and prints the path of the one that
# a NIC gets: build/firmware/espalier_fw.bin. Beside it: espalier_fw_faults.bin,
# which fails on request (for tests), and of both the linked program (.elf) and
# its listing (.lst). Nothing is done when they are of these sources and this compiler.
#
# The build id in an image is the hash of its sources.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "firmware/build.sh: $*" >&2; exit 1; }

prefix=${RISCV_PREFIX:-riscv64-unknown-elf-}
command -v "${prefix}gcc" >/dev/null 2>&1 ||
  fail "the compiler ${prefix}gcc is missing; Debian's package is gcc-riscv64-unknown-elf (RISCV_PREFIX names another compiler)"

flags=(-march=rv32i -mabi=ilp32 -std=c11 -O2 -ffreestanding -fno-builtin -fno-tree-loop-distribute-patterns
  -fno-common -fno-jump-tables -fomit-frame-pointer -ffunction-sections -fdata-sections -Wall -Wextra -Wconversion -Werror
  -I firmware/src/freestanding -I firmware/src -I regs/c)
link=(-nostdlib -static -Wl,--gc-sections -Wl,--build-id=none -Wl,--fatal-warnings -T firmware/src/image.ld)
sources=(firmware/src/start.S firmware/src/*.c)

IFS=. read -r major minor patch <firmware/VERSION
[[ $major.$minor.$patch =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "firmware/VERSION is not of the form 1.2.3"
version=$(printf '0x%08x' $((major << 24 | minor << 16 | patch)))

hash_sources() { cat firmware/VERSION firmware/build.sh firmware/src/*.* firmware/src/freestanding/* regs/c/espalier_regs.h | sha256sum | cut -c 1-64; }
hash_tools() { { "${prefix}gcc" --version; cat firmware/firmware.go firmware/mkimage/*.go; } | sha256sum | cut -c 1-64; }

out=build/firmware
mkdir -p "$out"
exec 9>"$out/.lock"
flock 9
key=$(hash_sources)-$(hash_tools)
images=("$out/espalier_fw.bin" "$out/espalier_fw_faults.bin")

if [ "$(cat "$out/.key" 2>/dev/null)" != "$key" ] || [ ! -f "${images[0]}" ] || [ ! -f "${images[1]}" ]; then
  rm -f "$out/.key"
  for variant in espalier_fw espalier_fw_faults; do
    define=()
    [ $variant = espalier_fw ] || define=(-DESPALIER_FW_FAULTS)
    id=$(echo "$(hash_sources)${define[*]-}" | sha256sum | cut -c 1-8)
    "${prefix}gcc" "${flags[@]}" ${define[@]+"${define[@]}"} "-DFW_VERSION=$version" "-DFW_BUILD=0x$id" "${link[@]}" -o "$out/$variant.elf" "${sources[@]}"
    "${prefix}objdump" -d "$out/$variant.elf" >"$out/$variant.lst"
    "${prefix}objcopy" -O binary -j .image "$out/$variant.elf" "$out/$variant.raw"
    go run ./firmware/mkimage "$out/$variant.raw" "$out/$variant.bin.new"
    mv "$out/$variant.bin.new" "$out/$variant.bin"
    rm "$out/$variant.raw"
  done
  echo "$key" >"$out/.key"
fi
echo "$PWD/${images[0]}"
