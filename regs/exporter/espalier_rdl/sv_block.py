# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog register block: an AXI4-Lite slave with the registers that live in it.

Why not PeakRDL-regblock (1.3.1): the ports of its module are unpacked structs.
Yosys 0.23 refuses its package ("Only PACKED supported at this time") and
Icarus 11 too ("sorry: Unpacked structs not supported"); Verilator 5.006
reads it, with -Wall warnings. Flat ports have none of these troubles.
"""

from .model import Field, Map, Model, ModelError, Register
from .names import sentence, snake, upper
from .sv_block_text import ACCESS, ASSERTIONS, AXIL_PORTS, HEAD


def generate(model: Model, header: list[str]) -> str:
    block = _Block(model.map)
    out = ["// SPDX-License-Identifier: Apache-2.0", *(f"// {line}".rstrip() for line in header), "//",
           *HEAD.strip("\n").split("\n"), "", "`default_nettype none", '`include "espalier_assert.svh"', "",
           "module espalier_regs ("]
    out += block.ports()
    out += [");", ""]
    out += block.decode()
    out += ACCESS.replace("@WORD_MSB@", str(block.width - 3)).replace("@MSB@", str(block.width - 1)).strip("\n").split("\n")
    out += [""]
    out += block.storage()
    out += block.read()
    out += ASSERTIONS.strip("\n").split("\n")
    out += ["", "endmodule", "", "`default_nettype wire", ""]
    return "\n".join(out)


class _Block:
    def __init__(self, nic: Map) -> None:
        self.map = nic
        self.width = nic.address_width
        self.registers = [r for r in nic.registers if not r.external]
        for r in self.registers:
            for f in r.fields:
                if r.is_array and (f.hw_owned or f.pulse or f.write_event or f.locked_by):
                    raise ModelError(f"{r.name}.{f.name}: events of array elements are not supported")
                if r.is_array and f.width & (f.width - 1):
                    raise ModelError(f"{r.name}.{f.name}: widths of array elements are powers of two")

    # -- ports ---------------------------------------------------------------

    def ports(self) -> list[str]:
        groups: list[tuple[str, list[str]]] = []
        for s in self.map.signals:
            groups.append((s.desc, [f"input  wire logic {s.name}_i"]))
        for r in self.registers:
            ports = self._register_ports(r)
            if ports:
                groups.append((f"{upper(r.name)}: {r.desc}", ports))
        lines = AXIL_PORTS.replace("@MSB@", str(self.width - 1)).strip("\n").split("\n")
        for comment, ports in groups:
            lines += ["", f"    // {sentence(comment)}"]
            lines += [f"    {p}," for p in ports]
        lines[-1] = lines[-1].removesuffix(",")
        return lines

    def _register_ports(self, r: Register) -> list[str]:
        ports: list[str] = []
        for f in r.fields:
            name, width = _signal(r, f), f.width * r.count
            if _constant(f):
                continue
            if f.hw_owned:
                if f.sw_readable:
                    ports.append(_port("input", width, f"{name}_i"))
                ports.append(_port("output", width, f"{name}_{_event(f)}_o"))
            elif not f.sw_writable:
                ports.append(_port("input", width, f"{name}_i"))
            else:
                if f.hw_readable:
                    ports.append(_port("output", width, f"{name}_o"))
                if f.hw_writable:
                    ports.append(_port("input", width, f"{name}_i"))
        if any(_stored(f) and f.hw_writable for f in r.fields):
            ports.append(_port("input", 1, f"{snake(r.name)}_we_i"))
        if any(f.write_event for f in r.fields):
            ports.append(_port("output", 1, f"{snake(r.name)}_wr_o"))
        return ports

    # -- address decoding ------------------------------------------------------

    def decode(self) -> list[str]:
        """Which accesses go out on the register bus: runs of neighbouring registers."""
        terms = []
        singles = sorted({(r.offset + i * r.stride) // 4 for r in self.map.registers if r.external
                          for i in range(r.count)})
        for first, last in _runs(singles):
            terms.append(_within("word", self.width - 2, first, last))
        for page in self.map.pages:
            runs = _runs(sorted(r.offset // 4 for r in page.registers))
            for inst in page.instances:
                span, inner = inst.count * inst.stride, (inst.stride - 1).bit_length()
                if span & (span - 1) or inst.base % span or inst.stride & (inst.stride - 1):
                    raise ModelError(f"{inst.name}: pages whose place is not a power of two are not supported")
                outer = (span - 1).bit_length()
                select = f"word[{self.width - 3}:{outer - 2}] == {self.width - outer}'h{inst.base >> outer:X}"
                for first, last in runs:
                    within = _within(f"word[{inner - 3}:0]", inner - 2, first, last)
                    terms.append(f"({select} && {within})")
        out = ["    // Address of the access under way, in words; bits 1:0 of a byte address have no meaning here.",
               f"    logic [{self.width - 3}:0] word;", "",
               "    // Registers that live elsewhere.", "    logic external;", "    assign external ="]
        out += [f"        {t} ||" for t in terms]
        out[-1] = out[-1].removesuffix(" ||") + ";"
        arrays = [r for r in self.registers if r.is_array]
        out += ["", "    // Element of an array that the address names, if it names one."]
        for r in arrays:
            out.append(f"    logic [{_index_width(r) - 1}:0] {_index(r)};")
        for r in arrays:
            first = r.offset // 4 % r.count
            bias = f" - {_index_width(r)}'d{first}" if first else ""
            out.append(f"    assign {_index(r)} = word[{_index_width(r) - 1}:0]{bias};")
        return out + [""]

    # -- writing ---------------------------------------------------------------

    def storage(self) -> list[str]:
        stored = [(r, f) for r in self.registers for f in r.fields if _stored(f)]
        events = [(r, f) for r in self.registers for f in r.fields if f.hw_owned or f.pulse]
        strobes = [r for r in self.registers if any(f.write_event for f in r.fields)]

        out = [f"    // {'-' * 73}", "    // Registers.", ""]
        for r, f in stored:
            out.append(f"    {_vector(f.width * r.count)}{_signal(r, f)}_q;")
        for r, f in events:
            out.append(f"    {_vector(f.width)}{_signal(r, f)}_event_q;")
        for r in strobes:
            out.append(f"    logic {snake(r.name)}_wr_q;")
        out.append("")
        for r, f in stored:
            if f.hw_readable:
                out.append(f"    assign {_signal(r, f)}_o = {_signal(r, f)}_q;")
        for r, f in events:
            suffix = f"_{_event(f)}_o" if f.hw_owned else "_o"
            out.append(f"    assign {_signal(r, f)}{suffix} = {_signal(r, f)}_event_q;")
        for r in strobes:
            out.append(f"    assign {snake(r.name)}_wr_o = {snake(r.name)}_wr_q;")

        out += ["", "    // Later statements win: what software writes, what hardware writes, clearing, reset.",
                "    always_ff @(posedge clk_i) begin"]
        out += [f"        {_signal(r, f)}_event_q <= {_zero(f.width)};" for r, f in events]
        out += [f"        {snake(r.name)}_wr_q <= 1'b0;" for r in strobes]
        out += ["        if (write_now) begin", f"            case (word)"]
        for r in self.registers:
            out += self._write_arm(r)
        out += ["                default: ;", "            endcase", "        end"]
        for r in self.registers:
            out += self._hardware_write(r)
        for signal in self.map.signals:
            cleared = [(r, f) for r, f in stored if f.clear_signal == signal.name]
            out += [f"        if ({signal.name}_i) begin"]
            out += [f"            {_signal(r, f)}_q <= {_zero(f.width * r.count)};" for r, f in cleared]
            out += ["        end"]
        out += ["        if (rst_i || soft_rst_i) begin"]
        for r, f in stored:
            if f.reset is None:
                raise ModelError(f"{r.name}.{f.name}: software writes it, but it has no reset value")
            value = f"{f.width}'h{f.reset:X}"
            out.append(f"            {_signal(r, f)}_q <= {f'{{{r.count}{{{value}}}}}' if r.is_array else value};")
        out += [f"            {_signal(r, f)}_event_q <= {_zero(f.width)};" for r, f in events]
        out += [f"            {snake(r.name)}_wr_q <= 1'b0;" for r in strobes]
        return out + ["        end", "    end", ""]

    def _write_arm(self, r: Register) -> list[str]:
        body: list[str] = []
        for f in r.fields:
            if not f.sw_writable:
                continue
            name, high, low = _signal(r, f), f.lsb + f.width - 1, f.lsb
            bits = "" if f.width == 32 else f"[{high}:{low}]" if f.width > 1 else f"[{low}]"
            if f.hw_owned or f.pulse:
                body.append(f"{name}_event_q <= wdata_q{bits} & wmask{bits};")
                continue
            target = f"{name}_q{_element(r, f)}"
            lines = [f"{target} <=", f"    ({target} & ~wmask{bits}) |", f"    (wdata_q{bits} & wmask{bits});"]
            if len("".join(lines)) < 96:
                lines = [" ".join(x.strip() for x in lines)]
            if f.write_event:
                lines.append(f"{snake(r.name)}_wr_q <= |wmask{bits};")
            if f.locked_by:
                lines = [f"if (!{snake(f.locked_by[0])}_{f.locked_by[1]}_i) begin", *(f"    {x}" for x in lines), "end"]
            body += lines
        if not body:
            return []
        *more, last = self._labels(r)
        return [*(f"                {x}" for x in more), f"                {last} begin // {upper(r.name)}",
                *(f"                    {x}" for x in body), "                end"]

    def _hardware_write(self, r: Register) -> list[str]:
        fields = [f for f in r.fields if _stored(f) and f.hw_writable]
        if not fields:
            return []
        return [f"        if ({snake(r.name)}_we_i) begin",
                *(f"            {_signal(r, f)}_q <= {_signal(r, f)}_i;" for f in fields), "        end"]

    # -- reading ---------------------------------------------------------------

    def read(self) -> list[str]:
        out = ["    // What a read answers. Fields that software cannot read are zero.", "    always_comb begin",
               "        mapped = 1'b1;", "        case (word)"]
        for r in self.registers:
            *more, last = self._labels(r)
            out += [f"            {x}" for x in more]
            parts = self._value(r)
            if len(parts) == 1:
                out.append(f"            {last} rdata = {parts[0]}; // {upper(r.name)}")
                continue
            out.append(f"            {last} rdata = {{ // {upper(r.name)}")
            out += [f"                {x}," for x in parts]
            out[-1] = out[-1].removesuffix(",")
            out.append("            };")
        return out + ["            default: begin", "                rdata = 32'd0;", "                mapped = 1'b0;",
                      "            end", "        endcase", "    end", ""]

    def _labels(self, r: Register) -> list[str]:
        """Case labels of the words of a register, eight a line."""
        digits = (self.width + 1) // 4
        words = [f"{self.width - 2}'h{(r.offset + i * r.stride) // 4:0{digits}X}" for i in range(r.count)]
        lines = [", ".join(words[i:i + 8]) for i in range(0, len(words), 8)]
        return [f"{x}," for x in lines[:-1]] + [f"{lines[-1]}:"]

    def _value(self, r: Register) -> list[str]:
        parts: list[str] = []
        top = 32
        for f in sorted(r.fields, key=lambda f: -f.lsb):
            if f.lsb + f.width < top:
                parts.append(_zero(top - f.lsb - f.width))
            parts.append(self._field_value(r, f))
            top = f.lsb
        if top:
            parts.append(_zero(top))
        return parts

    def _field_value(self, r: Register, f: Field) -> str:
        if not f.sw_readable:
            return _zero(f.width)
        if _constant(f):
            return f"{f.width}'h{f.reset:X}"
        if _stored(f):
            return f"{_signal(r, f)}_q{_element(r, f)}"
        return f"{_signal(r, f)}_i{_element(r, f)}"


def _element(r: Register, f: Field) -> str:
    """The part of a field's vector that belongs to the element at address word."""
    if not r.is_array:
        return ""
    shift = (f.width - 1).bit_length()
    return f"[{{{_index(r)}, {shift}'d0}} +: {f.width}]" if shift else f"[{_index(r)}]"


def _index(r: Register) -> str:
    return f"{snake(r.name)}_index"


def _index_width(r: Register) -> int:
    if r.stride != 4 or r.count & (r.count - 1):
        raise ModelError(f"{r.name}: arrays here are of neighbouring words, a power of two of them")
    return (r.count - 1).bit_length()


def _signal(r: Register, f: Field) -> str:
    return f"{snake(r.name)}_{f.name}"


def _constant(f: Field) -> bool:
    return not f.sw_writable and not f.hw_writable


def _stored(f: Field) -> bool:
    return f.sw_writable and not f.hw_owned and not f.pulse


def _event(f: Field) -> str:
    return {"woset": "set", "woclr": "clear"}[f.on_write]


def _vector(width: int) -> str:
    return "logic " if width == 1 else f"logic [{width - 1}:0] "


def _port(direction: str, width: int, name: str) -> str:
    kind = "input  wire " if direction == "input" else "output      "
    return f"{kind}{_vector(width)}{name}"


def _zero(width: int) -> str:
    return f"{width}'h0" if width > 1 else "1'b0"


def _runs(words: list[int]) -> list[tuple[int, int]]:
    """Neighbouring words as (first, last)."""
    runs: list[tuple[int, int]] = []
    for w in words:
        if runs and runs[-1][1] + 1 == w:
            runs[-1] = (runs[-1][0], w)
        else:
            runs.append((w, w))
    return runs


def _within(signal: str, width: int, first: int, last: int) -> str:
    """A comparison without a lower bound of 0, which linters call constant."""
    if first == 0:
        return f"{signal} <= {width}'h{last:X}"
    return f"({signal} >= {width}'h{first:X} && {signal} <= {width}'h{last:X})"
