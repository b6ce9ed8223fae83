#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Turns RTL into a loadable simulator and prints its path. Nothing is done when
# a library of the same sources, parameters, options and tools is there already.
#
#   verilator/build.sh [options]
#     --out NAME        write build/sim/NAME/libespalier_sim.so instead of
#                       build/sim/libespalier_sim.so
#     --files LIST      file list, default rtl/espalier.f: a source per line, from
#                       the repository's root, +incdir+FOLDER, // and # comments
#     --top MODULE      default espalier_nic; any module with its ports
#     --param N=V       override a parameter of the top
#     --define N[=V]    define a macro
#     --replace A=B     take file B where the list says A: a changed design beside
#                       the real one
#     --trace           with waveforms (a slower library)
#     --coverage        with line and toggle coverage (much slower)
#     --no-assert       without assertions
#     --bare            also the bench that clocks the same objects without the C
#                       interface; its path is printed on a second line
#
# The value of parameter BUILD_ID, and "build_id" of espalier_sim_info, are the
# hash of the sources, parameters and defines.
set -euo pipefail

fail() { echo "verilator/build.sh: $*" >&2; exit 1; }

name=""; files=rtl/espalier.f; top=espalier_nic
params=(); defines=(); replace=(); trace=0; coverage=0; assert=1; bare=0
while [ $# -gt 0 ]; do
    case "$1" in
        --out | --files | --top | --param | --define | --replace)
            [ $# -ge 2 ] || fail "$1 needs a value" ;;
    esac
    case "$1" in
        --out) name=$2; shift ;;
        --files) files=$2; shift ;;
        --top) top=$2; shift ;;
        --param) params+=("$2"); shift ;;
        --define) defines+=("$2"); shift ;;
        --replace) replace+=("$2"); shift ;;
        --trace) trace=1 ;;
        --coverage) coverage=1 ;;
        --no-assert) assert=0 ;;
        --bare) bare=1 ;;
        *) fail "unknown option $1" ;;
    esac
    shift
done

cd "$(dirname "$0")/.."
command -v verilator > /dev/null || fail "verilator is not installed"
CXX=${CXX:-g++}
command -v "$CXX" > /dev/null || fail "the C++ compiler $CXX is not installed"
[ -f "$files" ] || fail "file list $files does not exist"

# Sources and include folders, with replacements made.
sources=(); controls=(); incdirs=(); replaced=0
while read -r entry; do
    entry=${entry%%//*}; entry=${entry%%#*}; entry=${entry//[[:space:]]/}
    case "$entry" in
        "") ;;
        +incdir+*) incdirs+=("${entry#+incdir+}") ;;
        *)
            for r in ${replace[@]+"${replace[@]}"}; do
                if [ "${r%%=*}" = "$entry" ]; then entry=${r#*=}; replaced=$((replaced + 1)); break; fi
            done
            case "$entry" in build/third_party/picorv32/*) scripts/fetch-picorv32.sh || fail "$entry cannot be had" ;; esac
            [ -f "$entry" ] || fail "source $entry does not exist"
            sources+=("$entry")
            # Warnings that are off for one file of somebody else.
            control=verilator/$(basename "${entry%.*}").vlt
            if [ -f "$control" ]; then controls+=("$control"); fi ;;
    esac
done < "$files"
[ ${#sources[@]} -gt 0 ] || fail "file list $files names no source"
[ $replaced -eq ${#replace[@]} ] || fail "a file to be replaced is not in $files: ${replace[*]}"
headers=()
for d in ${incdirs[@]+"${incdirs[@]}"}; do
    [ -d "$d" ] || fail "include folder $d does not exist"
    while read -r h; do headers+=("$h"); done < <(find "$d" -maxdepth 1 -name '*.svh' | LC_ALL=C sort)
done

# Contents count, not names or times: a replaced file keeps its place in the list.
digest() { sha256sum | cut -c "1-$1"; }
contents() { local f; for f in "$@"; do sha256sum < "$f"; done; }
hash_design() {
    { contents "${sources[@]}" ${headers[@]+"${headers[@]}"}
        printf '%s\n' "$top" "params" ${params[@]+"${params[@]}"} "defines" ${defines[@]+"${defines[@]}"}; } | digest 64
}
design=$(hash_design)
build_id=${design:0:8}
root=$(verilator --getenv VERILATOR_ROOT)
config=$(printf '%s\n' "$name" "$files" "$top" "$trace$coverage$assert" ${params[@]+"${params[@]}"} -- ${defines[@]+"${defines[@]}"} -- \
    ${replace[@]+"${replace[@]}"} | digest 16)
hash_models() {
    find verilator -maxdepth 1 -type f \( -name '*.cpp' -o -name '*.h' -o -name '*.mk' -o -name '*.map' -o -name '*.sh' -o -name '*.vlt' \) |
        LC_ALL=C sort | xargs sha256sum | digest 64
}
models=$(hash_models)
key=$({ echo "$design $models $trace $coverage $assert"; verilator --version; "$CXX" --version | head -n 1; uname -m; } | digest 24)

mkdir -p build/sim/cache build/sim/obj
cached=$PWD/build/sim/cache/$key
out=build/sim/${name:+$name/}libespalier_sim.so

# Two builds of one configuration would write over each other.
exec 9> "build/sim/obj/$config.lock"
flock 9

if [ ! -f "$cached/libespalier_sim.so" ] || { [ $bare = 1 ] && [ ! -x "$cached/bench_bare" ]; }; then
    # The folder's name does not depend on the sources' contents, so that ccache,
    # where OBJCACHE names it, knows what did not change.
    obj=$PWD/build/sim/obj/$config
    rm -rf "$obj"
    mkdir -p "$obj"
    log=$obj/build.log
    jobs=$(nproc)
    args=(--cc --prefix Vnic --top-module "$top" --Mdir "$obj" -Wall -O3 --x-assign fast --x-initial fast
        --output-split 8000 --output-split-cfuncs 2000 --timescale-override 1ns/1ns "-GBUILD_ID=32'h$build_id")
    [ $trace = 0 ] || args+=(--trace-fst --trace-structs)
    [ $coverage = 0 ] || args+=(--coverage-line --coverage-toggle)
    if [ $assert = 1 ]; then args+=(--assert); else args+=(--noassert); fi
    for p in ${params[@]+"${params[@]}"}; do args+=("-G$p"); done
    for d in ${defines[@]+"${defines[@]}"}; do args+=("+define+$d"); done
    for d in ${incdirs[@]+"${incdirs[@]}"}; do args+=("-I$d"); done
    verilator "${args[@]}" ${controls[@]+"${controls[@]}"} "${sources[@]}" > "$log" 2>&1 || { tail -n 60 "$log" >&2; fail "Verilator refused the design"; }

    # Widths that depend on parameters, as Verilator has resolved them.
    msb() { sed -n "s/.*VL_OUT[0-9W]*(&$1,\([0-9]*\),0.*/\1/p" "$obj/Vnic.h"; }
    vectors=$(($(msb irq_o) + 1)); lanes=$((($(msb m_axi_wdata_o) + 1) / 128))
    bool() { if [ "$1" = 1 ]; then echo true; else echo false; fi; }
    printf '#define ESPALIER_BUILD_INFO "%s"\n' "$(printf '{"design":"%s","build_id":"%s","lanes":%d,"bars":[{"index":0,"size":262144}],"vectors":%d,"mac_ports":1,"trace":%s,"coverage":%s,"assertions":%s,"simulator":"%s"}' \
        "$top" "$build_id" "$lanes" "$vectors" "$(bool $trace)" "$(bool $coverage)" "$(bool $assert)" \
        "$(verilator --version | cut -d ' ' -f 1,2)" | sed 's/"/\\"/g')" > "$obj/build_info.h"

    targets=("$obj/libespalier_sim.so"); [ $bare = 0 ] || targets+=(bare)
    make -s -j "$jobs" -f verilator/library.mk OBJ="$obj" MODELS="$PWD/verilator" VERILATOR_ROOT="$root" CXX="$CXX" \
        OBJCACHE="${OBJCACHE:-}" OUT="$obj/libespalier_sim.so" BARE="$obj/bench_bare" "${targets[@]}" >> "$log" 2>&1 ||
        { tail -n 60 "$log" >&2; fail "the C++ compiler refused the model"; }
    rm -f "$obj"/*.o # large, and of no use to the next build
    [ "$(hash_design)$(hash_models)" = "$design$models" ] || fail "sources changed during the build; run it again"
    mkdir -p "$cached"
    # The library last: it says that the entry is there.
    [ $bare = 0 ] || mv "$obj/bench_bare" "$cached/bench_bare"
    mv "$obj/libespalier_sim.so" "$cached/libespalier_sim.so"
fi
touch "$cached"
find build/sim/cache -mindepth 1 -maxdepth 1 -mtime +14 -exec rm -rf {} +

# Through a rename: a program that has the old library loaded keeps it whole.
mkdir -p "$(dirname "$out")"
cp "$cached/libespalier_sim.so" "$out.$$"
if cmp -s "$out.$$" "$out"; then rm "$out.$$"; else mv "$out.$$" "$out"; fi
echo "$PWD/$out"
[ $bare = 0 ] || echo "$cached/bench_bare"
