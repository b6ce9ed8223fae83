# SPDX-License-Identifier: Apache-2.0
"""registers_gen.go: offsets, and a type with accessors for each register that has fields."""

from .go_common import bits, comment, field_type, head, uint
from .model import Field, Map, Model, ModelError, Register
from .names import go


def generate(model: Model, header: list[str]) -> str:
    out = head(header)
    out += _offsets(model.map)
    seen: set[str] = set()
    for reg in model.map.registers:
        out += _register(reg, "", seen)
    for page in model.map.pages:
        for reg in page.registers:
            out += _register(reg, page.name + "_", seen)
    return "\n".join(out)


def _offsets(nic: Map) -> list[str]:
    out = [f"// BarSize is the number of bytes of BAR 0.", f"const BarSize = {nic.size:#x}", ""]
    out += ["// Byte offsets of registers in BAR 0. Arrays have functions, such as IntModerationOffset.", "const ("]
    for reg in nic.registers:
        if reg.is_array:
            continue
        out += comment(f"{go(reg.name)}Offset: {reg.desc}", "\t")
        out.append(f"\t{go(reg.name)}Offset = {reg.offset:#x}")
    out += [")", ""]
    for page in nic.pages:
        name = go(page.name)
        out += [f"// Byte offsets of registers in the page of a {page.name}.", "const ("]
        for reg in page.registers:
            out += comment(f"{name}{go(reg.name)}Offset: {reg.desc}", "\t")
            out.append(f"\t{name}{go(reg.name)}Offset = {reg.offset:#x}")
        out += [")", ""]
        for inst in page.instances:
            out += _array(go(inst.name), f"the page of {inst.name}[i]", inst.base, inst.count, inst.stride)
    for reg in nic.registers:
        if reg.is_array:
            out += _array(go(reg.name), f"{reg.name}[i]: {reg.desc}", reg.offset, reg.count, reg.stride)
    return out


def _array(name: str, what: str, base: int, count: int, stride: int) -> list[str]:
    length = name + "Count"
    return [
        f"// {length} is the number of elements that the interface has room for.",
        f"const {length} = {count}",
        "",
        *comment(f"{name}Offset returns, for i below {length}, the byte offset in BAR 0 of {what}"),
        f"func {name}Offset(i int) uint64 {{ return {base:#x} + {stride:#x}*uint64(i) }}",
        "",
    ]


def _register(reg: Register, prefix: str, seen: set[str]) -> list[str]:
    out: list[str] = []
    name = go(prefix + reg.name)
    for f in reg.fields:
        if f.access == "ro" and not f.hw_writable:
            out += comment(f"{name}{go(f.name)} is what every NIC of this interface answers in {reg.name}.{f.name}: {f.desc}")
            out += [f"const {name}{go(f.name)} = {f.reset:#x}", ""]
    if reg.whole:
        return out
    if name in seen:
        raise ModelError(f"two registers are called {name} in Go")
    seen.add(name)
    out += comment(f"{name} is the value of a register. {reg.desc}")
    out += [f"type {name} uint32", ""]
    for f in reg.fields:
        out += _accessors(name, f)
    reset = sum((f.reset or 0) << f.lsb for f in reg.fields)
    if any(f.sw_writable for f in reg.fields):
        out += [f"// {name}Reset is the value after a reset.", f"const {name}Reset {name} = {reset:#x}", ""]
    return out


def _accessors(name: str, f: Field) -> list[str]:
    fname, ftype = go(f.name), field_type(f)
    mask = (1 << f.width) - 1
    out: list[str] = []
    if f.sw_readable:
        out += comment(f"{fname} returns {bits(f)}. {f.desc}")
        if ftype == "bool":
            body = f"r&{f.mask:#x} != 0"
        else:
            body = f"{ftype}({_shift('r', f.lsb)} & {mask:#x})"
        out += [f"func (r {name}) {fname}() {ftype} {{ return {body} }}", ""]
    if f.sw_writable:
        out += [f"// With{fname} returns r with {fname} set to v{'' if ftype == 'bool' else _excess(f, ftype)}."]
        if ftype == "bool":
            out += [f"func (r {name}) With{fname}(v bool) {name} {{",
                    "\tif v {", f"\t\treturn r | {f.mask:#x}", "\t}", f"\treturn r &^ {f.mask:#x}", "}", ""]
        else:
            value = f"{name}(v)" if uint(f.width) == f"uint{f.width}" and not f.enum else f"{name}(v)&{mask:#x}"
            if f.lsb:
                value = f"({value})<<{f.lsb}" if "&" in value else f"{value}<<{f.lsb}"
            out += [f"func (r {name}) With{fname}(v {ftype}) {name} {{ return r&^{f.mask:#x} | {value} }}", ""]
    return out


def _excess(f: Field, ftype: str) -> str:
    if f"uint{f.width}" == ftype:
        return ""
    return f"; bits of v above the lowest {f.width} are ignored"


def _shift(value: str, lsb: int) -> str:
    return f"{value}>>{lsb}" if lsb else value
