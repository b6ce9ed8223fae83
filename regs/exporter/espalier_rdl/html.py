# SPDX-License-Identifier: Apache-2.0
"""HTML reference: one static file that a browser opens from disk.

Why not PeakRDL-html (2.12.2): its output carries that project's own scripts and
styles, which are under LGPL 3; its pages are fetched by a script, which
browsers refuse for local files, so reading it takes a web server; and it is about
a megabyte in a hundred files. This one has no script and no request to anywhere.
"""

from html import escape

from .model import Enum, Field, Model, PageInstance, Record, Register, WordRecord
from .names import sentence, upper

TITLE = "Espalier registers and records"
WORD = 32  # bits in a row of a layout
PAGE = 0x1000  # bytes

ACCESS = {
    "ro": "read only",
    "wo": "write only (reads as zero)",
    "rw": "read and write",
    "rw1s": "read, and write 1 to set",
    "rw1c": "read, and write 1 to clear",
}

STYLE = """\
:root { color-scheme: light dark; --text: #1c2024; --dim: #5b6470; --page: #fff; --box: #f4f6f8; --line: #d0d7de; --link: #0a5cc2; }
@media (prefers-color-scheme: dark) {
  :root { --text: #dfe3e8; --dim: #98a2ae; --page: #15181c; --box: #1f242a; --line: #3a424c; --link: #79b0ff; }
}
body { margin: 0 auto; max-width: 70rem; padding: 1rem 1.5rem 4rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
h3 { margin: 2.2rem 0 0.2rem; font-family: ui-monospace, monospace; }
code, .name, .number { font-family: ui-monospace, monospace; font-size: 0.92em; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 0.6rem 0; }
th, td { border: 1px solid var(--line); padding: 0.2rem 0.6rem; text-align: left; vertical-align: top; }
th { background: var(--box); font-weight: 600; }
.number, .name { white-space: nowrap; }
.layout { table-layout: fixed; width: 100%; min-width: 56rem; font-size: 0.8em; }
.layout th, .layout td { text-align: center; padding: 0.2rem 0; overflow-wrap: anywhere; }
.layout .byte { width: 3.5rem; }
.unused { background: var(--box); color: var(--dim); }
.where, .note { color: var(--dim); }
p { margin: 0.3rem 0; }
:target { background: var(--box); }"""


def generate(model: Model, header: list[str]) -> str:
    out = ["<!DOCTYPE html>", "<!-- SPDX-License-Identifier: Apache-2.0", *(escape(line) for line in header), "-->",
           '<html lang="en">', "<head>", '<meta charset="utf-8">',
           '<meta name="viewport" content="width=device-width, initial-scale=1">',
           f"<title>{TITLE}</title>", "<style>", STYLE, "</style>", "</head>", "<body>", f"<h1>{TITLE}</h1>"]
    out += _introduction(model)
    out += _overview(model)
    out += ['<h2 id="registers">Registers</h2>']
    for reg in model.map.registers:
        out += _register(reg, reg.name, [f"<p class=\"where\">{_offset(reg)}, {_access(reg.access)}</p>"])
    for page in model.map.pages:
        out += [f'<h2 id="{_id("page", page.name)}">Registers of a {escape(page.name)} page</h2>', _paragraph(page.desc)]
        for reg in page.registers:
            out += _register(reg, f"{page.name}.{reg.name}", _places(reg, page.instances))
    out += ['<h2 id="records">Records</h2>', _paragraph("All are little-endian: bit 0 is the lowest bit of the first byte.")]
    for record in model.records:
        out += _record(record)
    for words in model.word_records:
        out += _word_record(words)
    out += ['<h2 id="encodings">Encodings</h2>']
    for enum in model.enums:
        out += _enum(enum)
    return "\n".join([*out, "</body>", "</html>", ""])


def _introduction(model: Model) -> list[str]:
    access = ", ".join(f"<code>{name}</code> {escape(text)}" for name, text in ACCESS.items())
    return [
        _paragraph(model.map.desc),
        "<p>What the registers do together is told in <code>docs/nic-contract.md</code>. Offsets are in bytes. Registers are 32 bits "
        f"wide. Access: {access}. Bits of no field read as zero.</p>",
        "<p>" + " &middot; ".join(f'<a href="#{target}">{text}</a>' for target, text in (
            ("overview", "Overview"), ("registers", "Registers"),
            *((_id("page", p.name), f"Registers of a {escape(p.name)} page") for p in model.map.pages),
            ("records", "Records"), ("encodings", "Encodings"))) + "</p>",
    ]


def _overview(model: Model) -> list[str]:
    rows: list[str] = []
    page = -1
    for reg in model.map.registers:
        if reg.offset // PAGE != page:
            page = reg.offset // PAGE
            rows.append(f'<tr><th colspan="4">Page {page:#x}</th></tr>')
        rows.append(_overview_row(_hex(reg.offset), reg, reg.name, _elements(reg.name, reg.count if reg.is_array else 0)))
    for kind in model.map.pages:
        where = "; ".join(f"{_elements(i.name, i.count)} at {_hex(i.base)} + n &times; {i.stride:#x}" for i in kind.instances)
        rows.append(f'<tr><th colspan="4">{where}</th></tr>')
        rows += [_overview_row(f"+{_hex(reg.offset, 2)}", reg, f"{kind.name}.{reg.name}", escape(reg.name)) for reg in kind.registers]
    return ['<h2 id="overview">Overview</h2>',
            *_table(("Offset", "Register", "Access", "What"), rows)]


def _overview_row(offset: str, reg: Register, path: str, shown: str) -> str:
    return (f'<tr><td class="number">{offset}</td><td class="name"><a href="#{_id("reg", path)}">{shown}</a></td>'
            f'<td class="name">{reg.access}</td><td>{escape(reg.desc)}</td></tr>')


def _register(reg: Register, path: str, where: list[str]) -> list[str]:
    return [f'<h3 id="{_id("reg", path)}">{escape(upper(path))}</h3>', *where, _paragraph(reg.desc),
            *([] if reg.whole else _layout(reg.fields, reg.width)), *_fields(reg.fields, with_access=True)]


def _offset(reg: Register) -> str:
    if not reg.is_array:
        return f"<code>{escape(reg.name)}</code> at {_hex(reg.offset)}"
    return f"<code>{_elements(reg.name, reg.count)}</code> at {_hex(reg.offset)} + n &times; {reg.stride:#x}"


def _places(reg: Register, instances: tuple[PageInstance, ...]) -> list[str]:
    return [f'<p class="where"><code>{_elements(i.name, i.count)}.{escape(reg.name)}</code> at {_hex(i.base + reg.offset)} + n &times; '
            f"{i.stride:#x}, {_access(reg.access)}</p>" for i in instances]


def _record(record: Record) -> list[str]:
    return [f'<h3 id="{_id("record", record.name)}">{escape(upper(record.name))}</h3>',
            f'<p class="where">{record.width // 8} bytes</p>', _paragraph(record.desc),
            *_layout(record.fields, record.width), *_fields(record.fields, with_access=False)]


def _word_record(record: WordRecord) -> list[str]:
    rows = []
    for reg in record.registers:
        first = reg.offset // 4
        last = first + reg.count - 1
        rows.append(
            f'<tr><td class="number">{first if first == last else f"{first} to {last}"}</td><td class="number">{_hex(reg.offset, 2)}</td>'
            f'<td class="name"><a href="#{_id("reg", f"{record.window}.{reg.name}")}">{escape(reg.name)}</a></td>'
            f'<td class="name">{reg.access}</td><td>{escape(reg.desc)}</td></tr>')
    return [f'<h3 id="{_id("record", record.name)}">{escape(upper(record.name))}</h3>',
            f'<p class="where">{record.words} words of 32 bits, written through the registers <code>{escape(record.window)}</code></p>',
            _paragraph(record.desc), *_table(("Words", "Offset", "Name", "Access", "What"), rows)]


def _layout(fields: tuple[Field, ...], width: int) -> list[str]:
    """The bits as they lie, one row a word, the highest bit on the left. A field over several words has a cell in each."""
    numbers = "".join(f"<th>{bit}</th>" for bit in reversed(range(WORD)))
    out = ['<div class="scroll"><table class="layout">', f'<tr><th class="byte">Byte</th>{numbers}</tr>']
    for low in range(0, width, WORD):
        out.append(f'<tr><th class="number">{_hex(low // 8, 2)}</th>{"".join(_cells(fields, low))}</tr>')
    return [*out, "</table></div>"]


def _cells(fields: tuple[Field, ...], low: int) -> list[str]:
    cells: list[str] = []
    top = low + WORD
    for f in sorted(fields, key=lambda f: -f.lsb):
        first, end = max(f.lsb, low), min(f.lsb + f.width, low + WORD)
        if first >= end:
            continue
        if end < top:
            cells.append(f'<td class="unused" colspan="{top - end}"></td>')
        part = "" if end - first == f.width else f" {end - 1 - f.lsb}:{first - f.lsb}"
        cells.append(f'<td colspan="{end - first}" title="{escape(f.name)}">{escape(f.name)}{part}</td>')
        top = first
    if top > low:
        cells.append(f'<td class="unused" colspan="{top - low}"></td>')
    return cells


def _fields(fields: tuple[Field, ...], with_access: bool) -> list[str]:
    rows = []
    for f in sorted(fields, key=lambda f: f.lsb):
        bits = str(f.lsb) if f.width == 1 else f"{f.lsb + f.width - 1}:{f.lsb}"
        access = f'<td class="name">{f.access}</td><td class="number">{"" if f.reset is None else f"{f.reset:#x}"}</td>' if with_access else ""
        rows.append(f'<tr><td class="number">{bits}</td><td class="name">{escape(f.name)}</td>{access}<td>{_field_text(f)}</td></tr>')
    return _table(("Bits", "Field", *(("Access", "Reset") if with_access else ()), "What"), rows)


def _field_text(f: Field) -> str:
    parts = [escape(sentence(f.desc))]
    if f.enum:
        parts.append(f'Values: <a href="#{_id("enum", f.enum.name)}">{escape(f.enum.name)}</a>.')
    notes = []
    if f.pulse:
        notes.append("A write is an event; nothing is stored.")
    if f.locked_by:
        notes.append(f"Writes are ignored while <code>{escape('.'.join(f.locked_by))}</code> is 1.")
    if f.clear_signal:
        notes.append(f"Cleared by hardware (<code>{escape(f.clear_signal)}</code>).")
    if notes:
        parts.append(f'<span class="note">{" ".join(notes)}</span>')
    return " ".join(parts)


def _enum(enum: Enum) -> list[str]:
    rows = [f'<tr><td class="number">{v.value}</td><td class="name">{escape(v.name)}</td><td>{escape(sentence(v.desc)) if v.desc else ""}</td></tr>'
            for v in enum.values]
    return [f'<h3 id="{_id("enum", enum.name)}">{escape(enum.name)}</h3>', f'<p class="where">{enum.width} bits</p>',
            *_table(("Value", "Name", "Meaning"), rows)]


def _table(heads: tuple[str, ...], rows: list[str]) -> list[str]:
    return ['<div class="scroll"><table>', "<tr>" + "".join(f"<th>{escape(h)}</th>" for h in heads) + "</tr>", *rows, "</table></div>"]


def _access(access: str) -> str:
    return f"<code>{access}</code>"


def _elements(name: str, count: int) -> str:
    """txq and 16: txq[0..15]. A count of 0 is no array."""
    return escape(f"{name}[0..{count - 1}]" if count else name)


def _paragraph(text: str) -> str:
    return f"<p>{escape(sentence(text))}</p>"


def _id(kind: str, name: str) -> str:
    return escape(f"{kind}-{name}")


def _hex(value: int, digits: int = 5) -> str:
    return f"0x{value:0{digits}x}"
