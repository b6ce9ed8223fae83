# SPDX-License-Identifier: Apache-2.0
"""map_gen.go: the registers as data, for tools that name them at run time."""

import json

from .go_common import enum_type, head
from .model import Enum, Field, Model, Register
from .names import go


def generate(model: Model, header: list[str]) -> str:
    out = head(header)
    for enum in model.enums:
        out += _enum(enum)
    out += ["// Map is every register of BAR 0, in the order of the pages. An array is one entry.",
            "var Map = []Register{"]
    for reg in model.map.registers:
        out += _register(reg, reg.name + ("[]" if reg.is_array else ""), reg.offset, reg.count, reg.stride)
    for page in model.map.pages:
        for inst in page.instances:
            for reg in page.registers:
                out += _register(reg, f"{inst.name}[].{reg.name}", inst.base + reg.offset, inst.count, inst.stride)
    out += ["}", ""]
    return "\n".join(out)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _enum(enum: Enum) -> list[str]:
    var = f"map{enum_type(enum)}"
    out = [f"var {var} = Enum{{Name: {_string(enum.name)}, Values: []EnumValue{{"]
    out += [f"\t{{Name: {_string(v.name)}, Value: {v.value}, Desc: {_string(v.desc)}}}," for v in enum.values]
    return out + ["}}", ""]


def _register(reg: Register, name: str, offset: int, count: int, stride: int) -> list[str]:
    array = f"Count: {count}, Stride: {stride:#x}, " if stride else ""
    out = [f"\t{{Name: {_string(name)}, Offset: {offset:#x}, {array}Access: {_access(reg.access)}, Desc: {_string(reg.desc)}, Fields: []Field{{"]
    out += [f"\t\t{_field(f)}," for f in reg.fields]
    return out + ["\t}},"]


def _field(f: Field) -> str:
    parts = [f"Name: {_string(f.name)}", f"LSB: {f.lsb}", f"Width: {f.width}", f"Access: {_access(f.access)}"]
    if f.reset is not None:
        parts += ["HasReset: true"]
        if f.reset:
            parts += [f"Reset: {f.reset:#x}"]
    if f.enum:
        parts.append(f"Enum: &map{go(f.enum.name)}")
    parts.append(f"Desc: {_string(f.desc)}")
    return "{" + ", ".join(parts) + "}"


def _access(name: str) -> str:
    return {"ro": "ReadOnly", "wo": "WriteOnly", "rw": "ReadWrite", "rw1s": "WriteOneToSet", "rw1c": "WriteOneToClear"}[name]
