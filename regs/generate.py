#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generates everything that is generated from espalier.rdl.

    generate.py [--root DIR]

writes the files under DIR, by default the repository that holds this script.
Run it with the Python of an environment that has requirements.txt; `make regs`
does. The output depends on the source and the pinned tools alone.
"""

import argparse
import subprocess
import sys
from pathlib import Path

REGS = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(REGS / "exporter"))

from systemrdl import RDLCompileError, RDLCompiler  # noqa: E402

from espalier_rdl import c_header, go_enums, go_map, go_records, go_registers, html, model, sv_block, sv_package  # noqa: E402

SOURCE = "regs/espalier.rdl"
COMMAND = "make regs"
HEADER = [f"Code generated from {SOURCE} by {COMMAND}. DO NOT EDIT."]

TEXT_OUTPUTS = {
    "regs/registers_gen.go": go_registers.generate,
    "regs/enums_gen.go": go_enums.generate,
    "regs/records_gen.go": go_records.generate,
    "regs/map_gen.go": go_map.generate,
    "regs/c/espalier_regs.h": c_header.generate,
    "rtl/espalier_regs_pkg.sv": sv_package.generate,
    "rtl/espalier_regs.sv": sv_block.generate,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=REGS.parent, help="where regs/ and rtl/ are written")
    root = parser.parse_args().root

    compiler = RDLCompiler()
    try:
        compiler.compile_file(str(REGS / "espalier.rdl"))
        nic = compiler.elaborate("espalier_nic").top
        records = compiler.elaborate("espalier_records").top
        reduced = model.build(nic, records)
    except RDLCompileError:
        return 1  # the compiler has printed what and where
    except model.ModelError as error:
        print(f"{SOURCE}: {error}", file=sys.stderr)
        return 1

    for name, generate in TEXT_OUTPUTS.items():
        text = generate(reduced, HEADER)
        if name.endswith(".go"):
            text = gofmt(text)
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    html.generate([nic, records], root / "regs" / "html", HEADER)
    return 0


def gofmt(text: str) -> str:
    return subprocess.run(["gofmt"], input=text, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
