# SPDX-License-Identifier: Apache-2.0
"""records_gen.go: the records of host memory as structs with pack and unpack.

A record is handled as two little-endian 64-bit words: two loads or stores
each way, and no field may straddle them (checked here).
"""

from .go_common import bits, comment, field_type, head
from .model import Field, Model, ModelError, Record, WordRecord
from .names import go


def generate(model: Model, header: list[str]) -> str:
    out = head(header, ("encoding/binary",))
    for rec in model.records:
        out += _record(rec)
    for rec in model.word_records:
        out += _word_record(rec)
    return "\n".join(out)


def _record(rec: Record) -> list[str]:
    if rec.width != 128:
        raise ModelError(f"{rec.name}: records are 128 bits wide")
    for f in rec.fields:
        if f.lsb // 64 != (f.lsb + f.width - 1) // 64:
            raise ModelError(f"{rec.name}.{f.name}: crosses bit 64")
    name, size = go(rec.name), rec.width // 8
    out = [f"// {name}Size is the number of bytes of a {name}.", f"const {name}Size = {size}", ""]
    out += comment(f"{name}: {rec.desc}")
    out += [f"type {name} struct {{"]
    for f in rec.fields:
        out += comment(f"{go(f.name)}, {bits(f)}: {f.desc}", "\t")
        out.append(f"\t{go(f.name)} {field_type(f)}")
    out += ["}", ""]

    out += [f"// Words returns the record as two words, bits 63:0 and 127:64. Bits of a value above its",
            "// field's width are dropped.",
            f"func (r {name}) Words() (lo, hi uint64) {{"]
    for f in rec.fields:
        word = "lo" if f.lsb < 64 else "hi"
        out += _insert(f, word)
    out += ["\treturn lo, hi", "}", "",
            f"// {name}FromWords is the inverse of {name}.Words; bits that belong to no field are ignored.",
            f"func {name}FromWords(lo, hi uint64) {name} {{"]
    used = {"lo" if f.lsb < 64 else "hi" for f in rec.fields}
    if used != {"lo", "hi"}:
        raise ModelError(f"{rec.name}: one half has no field")
    out += [f"\treturn {name}{{"]
    for f in rec.fields:
        out.append(f"\t\t{go(f.name)}: {_extract(f, 'lo' if f.lsb < 64 else 'hi')},")
    out += ["\t}", "}", "",
            f"// Pack writes the record, little-endian, to b[:{size}]; a shorter b panics, as in encoding/binary.",
            f"func (r {name}) Pack(b []byte) {{",
            f"\t_ = b[{size - 1}]",
            "\tlo, hi := r.Words()",
            "\tbinary.LittleEndian.PutUint64(b, lo)",
            "\tbinary.LittleEndian.PutUint64(b[8:], hi)",
            "}", "",
            f"// Unpack reads the record from b[:{size}]; a shorter b panics, as in encoding/binary.",
            f"func (r *{name}) Unpack(b []byte) {{",
            f"\t_ = b[{size - 1}]",
            f"\t*r = {name}FromWords(binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]))",
            "}", ""]

    out += [f"// {name}View reads and writes single fields of a {name} in place. It is at least {size} bytes long; a",
            "// shorter one panics on access.",
            f"type {name}View []byte", ""]
    for f in rec.fields:
        out += _view(name, f)
    return out


def _view(name: str, f: Field) -> list[str]:
    view, fname, ftype = f"{name}View", go(f.name), field_type(f)
    byte, shift, size = _access(f)
    if size == 1:
        load = f"b[{byte}]"
    else:
        load = f"binary.LittleEndian.Uint{size * 8}(b[{byte}:])"
    mask = (1 << f.width) - 1
    whole = f.width == size * 8
    out = [f"// {fname} returns {name}.{fname}."]
    if ftype == "bool":
        expr = f"{load}&{1 << shift:#x} != 0"
    else:
        expr = load if not shift else f"{load}>>{shift}"
        if not whole and shift + f.width != size * 8:
            expr = f"{expr} & {mask:#x}"
        if f.enum or size * 8 != int(ftype.removeprefix("uint")):
            expr = f"{ftype}({expr})"
    out += [f"func (b {view}) {fname}() {ftype} {{ return {expr} }}", ""]

    out += [f"// Set{fname} sets {name}.{fname}."]
    if ftype == "bool":
        out += [f"func (b {view}) Set{fname}(v bool) {{", "\tif v {", f"\t\tb[{byte}] |= {1 << shift:#x}",
                "\t} else {", f"\t\tb[{byte}] &^= {1 << shift:#x}", "\t}", "}", ""]
        return out
    uint = f"uint{size * 8}"
    value = "v" if ftype == uint else f"{uint}(v)"
    if not whole:
        value = f"{value}&{mask:#x}"
        value = f"({value})<<{shift}" if shift else value
        value = f"{load}&^{mask << shift:#x} | {value}"
    if size == 1:
        out += [f"func (b {view}) Set{fname}(v {ftype}) {{ b[{byte}] = {value} }}", ""]
    else:
        out += [f"func (b {view}) Set{fname}(v {ftype}) {{",
                f"\tbinary.LittleEndian.PutUint{size * 8}(b[{byte}:], {value})", "}", ""]
    return out


def _access(f: Field) -> tuple[int, int, int]:
    """The smallest naturally aligned access that holds the field: byte, shift, bytes."""
    for size in (1, 2, 4, 8):
        bits = size * 8
        if f.lsb // bits == (f.lsb + f.width - 1) // bits:
            return f.lsb // bits * size, f.lsb % bits, size
    raise ModelError(f"{f.name}: crosses bit 64")


def _insert(f: Field, word: str) -> list[str]:
    fname, shift = f"r.{go(f.name)}", f.lsb % 64
    if field_type(f) == "bool":
        return [f"\tif {fname} {{", f"\t\t{word} |= 1 << {shift}", "\t}"]
    value = fname if f.width == 64 else f"uint64({fname})"
    if f.enum or f.width not in (8, 16, 32, 64):
        value = f"({value} & {(1 << f.width) - 1:#x})" if shift else f"{value} & {(1 << f.width) - 1:#x}"
    return [f"\t{word} |= {value}" + (f" << {shift}" if shift else "")]


def _extract(f: Field, word: str) -> str:
    shift = f.lsb % 64
    if f.width == 64:
        return word
    if field_type(f) == "bool":
        return f"{word}>>{shift}&1 != 0"
    value = f"{word} >> {shift}" if shift else word
    if f.width not in (8, 16, 32) and shift + f.width != 64:
        value += f" & {(1 << f.width) - 1:#x}"
    return f"{field_type(f)}({value})"


def _word_record(rec: WordRecord) -> list[str]:
    name = go(rec.name)
    out = [f"// {name}Words is the number of 32-bit words of a {name}.", f"const {name}Words = {rec.words}", "",
           f"// {name}Offset is the byte offset in BAR 0 of the window's first word of a {name}; the words follow one another.",
           f"const {name}Offset = {go(rec.window)}{go(rec.registers[0].name)}Offset", "",
           f"// Indices of the first word of each part of a {name}.", "const ("]
    for reg in rec.registers:
        out.append(f"\t{name}{go(reg.name)}Word = {reg.offset // 4}")
    out += [")", ""]
    out += comment(f"{name}: {rec.desc}")
    out += [f"type {name} struct {{"]
    for reg in rec.registers:
        kind = "uint32" if reg.whole else go(f"{rec.window}_{reg.name}")
        out += comment(f"{go(reg.name)}: {reg.desc}", "\t")
        out.append(f"\t{go(reg.name)} {f'[{reg.count}]' if reg.is_array else ''}{kind}")
    out += ["}", "", f"// Words returns the record as the words of the window, in order.",
            f"func (r *{name}) Words() (w [{name}Words]uint32) {{"]
    for reg in rec.registers:
        index = f"{name}{go(reg.name)}Word"
        if reg.is_array:
            out.append(f"\tcopy(w[{index}:], r.{go(reg.name)}[:])")
        else:
            out.append(f"\tw[{index}] = {_u32(reg, f'r.{go(reg.name)}')}")
    out += ["\treturn w", "}", "", f"// SetWords is the inverse of Words.",
            f"func (r *{name}) SetWords(w *[{name}Words]uint32) {{"]
    for reg in rec.registers:
        index = f"{name}{go(reg.name)}Word"
        if reg.is_array:
            out.append(f"\tcopy(r.{go(reg.name)}[:], w[{index}:])")
        elif reg.whole:
            out.append(f"\tr.{go(reg.name)} = w[{index}]")
        else:
            out.append(f"\tr.{go(reg.name)} = {go(f'{rec.window}_{reg.name}')}(w[{index}])")
    out += ["}", ""]
    return out


def _u32(reg, value: str) -> str:
    return value if reg.whole else f"uint32({value})"
