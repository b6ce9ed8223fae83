# SPDX-License-Identifier: Apache-2.0
"""enums_gen.go: a type per encoding."""

from .go_common import comment, enum_type, head, uint
from .model import Enum, Field, Model
from .names import go


def generate(model: Model, header: list[str]) -> str:
    out = head(header)
    for enum in model.enums:
        out += _enum(enum, _users(model, enum))
    return "\n".join(out)


def _users(model: Model, enum: Enum) -> str:
    places = [(r.name, r.fields) for r in model.map.registers]
    places += [(f"{p.name} {r.name}", r.fields) for p in model.map.pages for r in p.registers]
    places += [(r.name, r.fields) for r in model.records]
    places += [(f"{w.name} {r.name}", r.fields) for w in model.word_records for r in w.registers]
    names = [f"{name}.{f.name}" for name, fields in places for f in fields if _same(f, enum)]
    return " and ".join(names)


def _same(f: Field, enum: Enum) -> bool:
    return f.enum is not None and f.enum.name == enum.name


def _enum(enum: Enum, users: str) -> list[str]:
    name = enum_type(enum)
    out = comment(f"{name} is the encoding of {users}")
    out += [f"type {name} {uint(enum.width)}", "", f"// Values of {name}.", "const ("]
    for v in enum.values:
        out += comment(f"{name}{go(v.name)}: {v.desc}", "\t")
        out.append(f"\t{name}{go(v.name)} {name} = {v.value}")
    out += [")", "",
            f"// String returns the name that regs/espalier.rdl gives the value, or a form like {name}(99).",
            f"func (v {name}) String() string {{", "\tswitch v {"]
    for v in enum.values:
        out += [f"\tcase {name}{go(v.name)}:", f'\t\treturn "{v.name}"']
    out += ["\t}", f'\treturn unknown("{name}", uint64(v))', "}", ""]
    return out
