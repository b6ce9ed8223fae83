# SPDX-License-Identifier: Apache-2.0
"""C header for firmware and host programs in C.

Why not PeakRDL-cheader (1.1.0): its masks of fields in a 128-bit record are
constants that no C type holds ("integer constant is too large for its type"); it
leaves out the encodings; its registers are members of packed structs, which a
compiler for a core without unaligned access may read and write byte by byte;
and the names of its types contain hashes of descriptions.
"""

import textwrap

from .go_common import bits
from .model import Enum, Field, Model, ModelError, Record, Register, WordRecord
from .names import sentence, snake, upper

PREFIX = "ESPALIER_"
GUARD = "ESPALIER_REGS_H"

HEAD = f"""\
#ifndef {GUARD}
#define {GUARD}

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

/* A field of a register's value: ESPALIER_GET(v, ESPALIER_CTRL_TX_ENABLE) reads it,
 * ESPALIER_SET(v, ESPALIER_CTRL_TX_ENABLE, 1) is v with the field set. */
#define ESPALIER_GET(value, field) (((uint32_t)(value) & field##_MASK) >> field##_SHIFT)
#define ESPALIER_SET(value, field, to) \\
    (((uint32_t)(value) & ~field##_MASK) | (((uint32_t)(to) << field##_SHIFT) & field##_MASK))
"""

TAIL = f"""\
#ifdef __cplusplus
}}
#endif

#endif /* {GUARD} */
"""


def generate(model: Model, header: list[str]) -> str:
    out = ["/* SPDX-License-Identifier: Apache-2.0", *(f" * {line}".rstrip() for line in header), " */", HEAD]
    out += _title(model.map.desc) + [f"#define {PREFIX}BAR_SIZE {model.map.size:#x}u", ""]
    for reg in model.map.registers:
        out += _register(reg, "")
    for page in model.map.pages:
        out += _title(f"{page.desc} Offsets of registers are within a queue's page.")
        for inst in page.instances:
            out += _array(upper(inst.name), inst.base, inst.count, inst.stride)
        for reg in page.registers:
            out += _register(reg, page.name + "_")
    out += _title("Encodings.")
    for enum in model.enums:
        out += _enum(enum)
    out += _title("Records in host memory: words in little-endian byte order, lowest first. The functions take and give "
                  "values of a little-endian machine.")
    for rec in model.records:
        out += _record(rec)
    for rec in model.word_records:
        out += _word_record(rec)
    return "\n".join(out) + "\n" + TAIL


def _title(text: str) -> list[str]:
    return [f"/* {'-' * 74}", *_wrapped(text), ""]


def _wrapped(text: str) -> list[str]:
    lines = textwrap.wrap(sentence(text), 100, break_long_words=False, break_on_hyphens=False)
    return [*(f" * {x}" for x in lines[:-1]), f" * {lines[-1]} */"]


def _comment(text: str) -> list[str]:
    lines = textwrap.wrap(sentence(text), 100, break_long_words=False, break_on_hyphens=False)
    lines[0] = f"/* {lines[0]}"
    lines[1:] = [f" * {x}" for x in lines[1:]]
    lines[-1] += " */"
    return lines


def _register(reg: Register, prefix: str) -> list[str]:
    name = PREFIX + upper(prefix + reg.name)
    out = _comment(reg.desc)
    if reg.is_array:
        out += _array(upper(prefix + reg.name), reg.offset, reg.count, reg.stride)[:-1]
    else:
        out.append(f"#define {name}_OFFSET {reg.offset:#x}u")
    for f in reg.fields:
        if not reg.whole:
            out.append(f"#define {name}_{upper(f.name)}_MASK {f.mask:#x}u")
            out.append(f"#define {name}_{upper(f.name)}_SHIFT {f.lsb}")
        if f.access == "ro" and not f.hw_writable:
            out.append(f"#define {name}_{upper(f.name)}_VALUE {f.reset:#x}u")
    return out + [""]


def _array(name: str, base: int, count: int, stride: int) -> list[str]:
    return [f"#define {PREFIX}{name}_OFFSET(i) ({base:#x}u + {stride:#x}u * (uint32_t)(i))",
            f"#define {PREFIX}{name}_COUNT {count}", ""]


def _enum(enum: Enum) -> list[str]:
    out = [f"enum espalier_{snake(enum.name)} {{"]
    for v in enum.values:
        out += [f"    {line}" for line in _comment(v.desc)]
        out.append(f"    {PREFIX}{upper(enum.name)}_{v.name} = {v.value},")
    out[-1] = out[-1].removesuffix(",")
    return out + ["};", ""]


def _record(rec: Record) -> list[str]:
    struct, words = f"struct espalier_{snake(rec.name)}", rec.width // 32
    out = _comment(rec.desc)
    out += [f"{struct} {{", f"    uint32_t word[{words}];", "};",
            f"static_assert(sizeof({struct}) == {rec.width // 8}, \"size of {struct}\");", ""]
    for f in rec.fields:
        out += _record_field(rec, f, struct)
    return out


def _record_field(rec: Record, f: Field, struct: str) -> list[str]:
    name = f"espalier_{snake(rec.name)}"
    word, shift = f.lsb // 32, f.lsb % 32
    out = _comment(f"{upper(f.name)}, {bits(f)}: {f.desc}")
    if f.width == 64 and shift == 0:
        return out + [
            f"static inline uint64_t {name}_get_{f.name}(const {struct} *r)",
            "{", f"    return r->word[{word}] | (uint64_t)r->word[{word + 1}] << 32;", "}",
            f"static inline void {name}_set_{f.name}({struct} *r, uint64_t value)",
            "{", f"    r->word[{word}] = (uint32_t)value;", f"    r->word[{word + 1}] = (uint32_t)(value >> 32);", "}", ""]
    if shift + f.width > 32:
        raise ModelError(f"{rec.name}.{f.name}: crosses a word")
    mask = (1 << f.width) - 1
    load = f"r->word[{word}]" + (f" >> {shift}" if shift else "")
    if shift + f.width < 32:
        load = f"({load}) & {mask:#x}u" if shift else f"{load} & {mask:#x}u"
    store = "value" if f.width == 32 else f"(value & {mask:#x}u)" + (f" << {shift}" if shift else "")
    keep = "" if f.width == 32 else f"(r->word[{word}] & {~(mask << shift) & 0xffffffff:#x}u) | "
    return out + [
        f"static inline uint32_t {name}_get_{f.name}(const {struct} *r)",
        "{", f"    return {load};", "}",
        f"static inline void {name}_set_{f.name}({struct} *r, uint32_t value)",
        "{", f"    r->word[{word}] = {keep}{store};", "}", ""]


def _word_record(rec: WordRecord) -> list[str]:
    struct = f"struct espalier_{snake(rec.name)}"
    out = _comment(f"{rec.desc} Its words in order are the window's registers from {PREFIX}{upper(rec.window)}_"
                   f"{upper(rec.registers[0].name)}_OFFSET on")
    out.append(f"{struct} {{")
    for reg in rec.registers:
        out += [f"    {line}" for line in _comment(reg.desc)]
        out.append(f"    uint32_t {reg.name}{f'[{reg.count}]' if reg.is_array else ''};")
    out += ["};", f"static_assert(sizeof({struct}) == {4 * rec.words}, \"size of {struct}\");"]
    for reg in rec.registers:
        out.append(f"static_assert(offsetof({struct}, {reg.name}) == {reg.offset}, \"place of {reg.name}\");")
    return out + [""]
