# SPDX-License-Identifier: Apache-2.0
"""What the Go files share: file heads, comments, types of fields."""

import textwrap

from .model import Enum, Field
from .names import go, sentence

PACKAGE = "regs"


def head(header: list[str], imports: tuple[str, ...] = ()) -> list[str]:
    out = ["// SPDX-License-Identifier: Apache-2.0", "", *(f"// {line}".rstrip() for line in header), "", f"package {PACKAGE}", ""]
    if imports:
        out += ["import (", *(f'\t"{i}"' for i in imports), ")", ""]
    return out


def comment(text: str, indent: str = "") -> list[str]:
    return [f"{indent}// {line}" for line in textwrap.wrap(sentence(text), 96, break_long_words=False, break_on_hyphens=False)]


def bits(f: Field) -> str:
    return f"bit {f.lsb}" if f.width == 1 else f"bits {f.lsb + f.width - 1}:{f.lsb}"


def uint(width: int) -> str:
    return f"uint{next(w for w in (8, 16, 32, 64) if w >= width)}"


def field_type(f: Field) -> str:
    if f.enum:
        return go(f.enum.name)
    return "bool" if f.width == 1 else uint(f.width)


def enum_type(enum: Enum) -> str:
    return go(enum.name)
