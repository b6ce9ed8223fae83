#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generates everything that is generated from espalier.rdl.

    generate.py [--source FILE] [--root DIR]

writes the files under DIR, by default the repository that holds this script.
Run it with the Python of an environment that has requirements.txt; `make regs`
does. The output depends on the source and the pinned tools alone. A source
that is refused changes nothing.
"""

import argparse
import subprocess
import sys
from pathlib import Path

REGS = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(REGS / "exporter"))

from systemrdl import RDLCompileError, RDLCompiler  # noqa: E402

from espalier_rdl import c_header, go_enums, go_map, go_records, go_registers  # noqa: E402
from espalier_rdl import html, model, sv_block, sv_package  # noqa: E402

HEADER = ["Code generated from regs/espalier.rdl by make regs. DO NOT EDIT."]

TEXT_OUTPUTS = {
    "regs/registers_gen.go": go_registers.generate,
    "regs/enums_gen.go": go_enums.generate,
    "regs/records_gen.go": go_records.generate,
    "regs/map_gen.go": go_map.generate,
    "regs/c/espalier_regs.h": c_header.generate,
    "regs/html/index.html": html.generate,
    "rtl/espalier_regs_pkg.sv": sv_package.generate,
    "rtl/espalier_regs.sv": sv_block.generate,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, default=REGS / "espalier.rdl", help="the register source")
    parser.add_argument("--root", type=Path, default=REGS.parent, help="where regs/ and rtl/ are written")
    args = parser.parse_args()

    compiler = RDLCompiler()
    try:
        compiler.compile_file(str(args.source))
        nic = compiler.elaborate("espalier_nic").top
        records = compiler.elaborate("espalier_records").top
        reduced = model.build(nic, records)
        texts = {name: generate(reduced, HEADER) for name, generate in TEXT_OUTPUTS.items()}
    except RDLCompileError:
        return 1  # the compiler has printed what and where
    except model.ModelError as error:
        print(f"{args.source.name}: {error}", file=sys.stderr)
        return 1

    for name, text in texts.items():
        path = args.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(gofmt(text) if name.endswith(".go") else text, encoding="utf-8")
    return 0


def gofmt(text: str) -> str:
    try:
        return subprocess.run(["gofmt"], input=text, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        sys.exit("gofmt is missing; it comes with Go: put Go's bin folder on PATH")


if __name__ == "__main__":
    sys.exit(main())
