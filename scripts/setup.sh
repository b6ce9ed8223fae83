#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what a target of the Makefile needs and this machine lacks:
#   scripts/setup.sh run     to build and run the simulated NIC and its firmware
#   scripts/setup.sh test    that, and everything the tests use
#   scripts/setup.sh soak    that, and clang for its fuzzer
#   scripts/setup.sh regs    what `make regs` uses
# Debian packages go where Debian puts them (needs root or sudo), Python
# packages into build/venv, the control processor's core into build/third_party,
# the virtual machine's QEMU and kernel into the user's cache folder.
# Says in one line what it installs, and stops with one sentence when it cannot.
# Does nothing, fast, when nothing is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:?usage: scripts/setup.sh run|test|soak|regs}
die() { echo "setup: $*" >&2; exit 1; }

# command:package pairs; a package is installed when its command is not there.
run=(verilator:verilator g++:g++ make:make riscv64-unknown-elf-gcc:gcc-riscv64-unknown-elf python3:python3)
test=("${run[@]}" yosys:yosys iverilog:iverilog tshark:tshark)
case $what in
  run) wanted=("${run[@]}") ;;
  test) wanted=("${test[@]}") ;;
  soak) wanted=("${test[@]}" clang:clang) ;;
  regs) wanted=(python3:python3) ;;
  *) die "'$what' is not run, test, soak or regs" ;;
esac

packages=()
for pair in "${wanted[@]}"; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || packages+=("${pair#*:}")
done
# Debian ships venv's pip apart from python3.
if ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then packages+=(python3-venv); fi
# clang's fuzzer and sanitizers come apart from it.
if [ "$what" = soak ] && ! ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-* >/dev/null 2>&1; then packages+=(libclang-rt-14-dev); fi
# Verilator's FST traces need zlib's header.
if [ "$what" != regs ] && [ ! -e /usr/include/zlib.h ]; then packages+=(zlib1g-dev); fi

if [ ${#packages[@]} -gt 0 ]; then
  command -v apt-get >/dev/null 2>&1 || die "missing ${packages[*]}; this is not Debian, so install the equivalents by hand and run make again"
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || die "missing Debian packages; run as root: apt-get install ${packages[*]}"
    as_root=(sudo)
  fi
  echo "setup: installing Debian packages: ${packages[*]}"
  log=$(mktemp)
  { "${as_root[@]}" apt-get update -q &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}"; } >"$log" 2>&1 ||
    { tail -5 "$log" >&2; rm -f "$log"; die "apt-get could not install ${packages[*]} (its last lines are above)"; }
  rm -f "$log"
fi

# A Go toolchain at least as new as go.mod asks.
command -v go >/dev/null 2>&1 || die "Go is missing; install Go $(sed -n 's/^go //p' go.mod) or newer and put it on PATH"
go version >/dev/null 2>&1 || die "'go version' fails; install Go $(sed -n 's/^go //p' go.mod) or newer"

if [ "$what" != run ]; then
  lists=(regs/requirements.txt)
  case $what in test | soak) lists+=(tests/requirements.txt) ;; esac
  stamp=build/venv/.stamp-${what/soak/test}
  sum=$(cat "${lists[@]}" | sha256sum)
  if [ ! -x build/venv/bin/python ] || [ "$(cat "$stamp" 2>/dev/null)" != "$sum" ]; then
    echo "setup: installing Python packages into build/venv: $(cat "${lists[@]}" | sed -n 's/^\([A-Za-z0-9._-]*\)==.*/\1/p' | tr '\n' ' ')"
    mkdir -p build
    [ -x build/venv/bin/python ] || python3 -m venv build/venv || die "python3 -m venv failed; install python3-venv"
    args=()
    for list in "${lists[@]}"; do args+=(-r "$list"); done
    build/venv/bin/python -m pip install -q --disable-pip-version-check "${args[@]}" ||
      die "pip could not install the packages of ${lists[*]}"
    echo "$sum" >"$stamp"
  fi
fi

if [ "$what" != regs ]; then scripts/fetch-picorv32.sh; fi

# The virtual machine's QEMU and kernel, which go into the user's cache folder.
# Tests that need them fail by themselves and say why, or are skipped with
# ALLOW_SKIP=1, so that all others can still be run.
case $what in
  test | soak) go run ./cmd/espalier vm prepare || echo "setup: the tests that need a virtual machine will fail, or are skipped with ALLOW_SKIP=1" >&2 ;;
esac
