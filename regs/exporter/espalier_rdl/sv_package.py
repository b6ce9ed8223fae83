# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog package: every address, field position and encoding.

Plain localparams rather than enum and struct types: Yosys 0.23 and Icarus 11
take both only in part, and bit positions serve slices of packed vectors as they are.
"""

from .model import Enum, Field, Model, Register
from .names import sentence, upper

HEAD = """\
// Addresses are byte offsets in BAR 0 (_ADDR), in a queue's page (QUEUE_*_ADDR) or distances
// between elements (_STRIDE); _NUM is a number of elements; _LSB and _W are a field's lowest bit and its
// width in bits. A register that is one 32-bit value has no _LSB and _W.

// No single design uses every constant of the interface.
/* verilator lint_off UNUSEDPARAM */
package espalier_regs_pkg;
"""


def generate(model: Model, header: list[str]) -> str:
    out = ["// SPDX-License-Identifier: Apache-2.0", *(f"// {line}".rstrip() for line in header), HEAD.rstrip()]
    width = model.map.address_width

    out += ["", f"  // {'-' * 75}", f"  // {sentence(model.map.desc)}", "", f"  localparam int ADDR_W = {width};"]
    for reg in model.map.registers:
        out += _register(reg, "", width)
    for page in model.map.pages:
        out += ["", f"  // {'-' * 75}", f"  // {sentence(page.desc)}"]
        for inst in page.instances:
            n = upper(inst.name)
            out += [
                "",
                f"  localparam logic [{width - 1}:0] {n}_ADDR = {width}'h{inst.base:05X};",
                f"  localparam int {n}_STRIDE = {inst.stride};",
                f"  localparam int {n}_NUM = {inst.count};",
            ]
        page_width = (page.instances[0].stride - 1).bit_length()
        for reg in page.registers:
            out += _register(reg, page.name + "_", page_width)

    out += ["", f"  // {'-' * 75}", "  // Records in host memory."]
    for rec in model.records:
        out += ["", f"  // {sentence(rec.desc)}", f"  localparam int {upper(rec.name)}_W = {rec.width};"]
        out += _fields(rec.fields, upper(rec.name))

    for rec in model.word_records:
        out += ["", f"  // {'-' * 75}", f"  // {sentence(rec.desc)} _WORD is the index of a field's first 32-bit word.", ""]
        out.append(f"  localparam int {upper(rec.name)}_WORDS = {rec.words};")
        for reg in rec.registers:
            out.append(f"  localparam int {upper(rec.name)}_{upper(reg.name)}_WORD = {reg.offset // 4};")

    out += ["", f"  // {'-' * 75}", "  // Encodings."]
    for enum in model.enums:
        out += _enum(enum)
    out += ["", "endpackage", "/* verilator lint_on UNUSEDPARAM */", ""]
    return "\n".join(out)


def _register(reg: Register, prefix: str, width: int) -> list[str]:
    name = upper(prefix + reg.name)
    digits = (width + 3) // 4
    out = ["", f"  // {sentence(reg.desc)}",
           f"  localparam logic [{width - 1}:0] {name}_ADDR = {width}'h{reg.offset:0{digits}X};"]
    if reg.is_array:
        out.append(f"  localparam int {name}_STRIDE = {reg.stride};")
        out.append(f"  localparam int {name}_NUM = {reg.count};")
    if not reg.whole:
        out += _fields(reg.fields, name)
    constants = [f for f in reg.fields if f.access == "ro" and not f.hw_writable]
    for f in constants:
        out.append(f"  localparam logic [{f.width - 1}:0] {name}_{upper(f.name)} = {f.width}'h{f.reset:X};")
    return out


def _fields(fields: tuple[Field, ...], name: str) -> list[str]:
    out = []
    for f in fields:
        out.append(f"  localparam int {name}_{upper(f.name)}_LSB = {f.lsb};")
        out.append(f"  localparam int {name}_{upper(f.name)}_W = {f.width};")
    return out


def _enum(enum: Enum) -> list[str]:
    name = upper(enum.name)
    out = [""]
    for v in enum.values:
        out.append(f"  // {sentence(v.desc)}")
        out.append(f"  localparam logic [{enum.width - 1}:0] {name}_{upper(v.name)} = {enum.width}'d{v.value};")
    return out
