# SPDX-License-Identifier: Apache-2.0
"""The register source, reduced to what the exporters need.

The SystemRDL compiler checks the language; this module checks what Espalier's
own conventions add (32-bit registers, at most one array per path, one
level of pages) and refuses the rest with the path of the offender.
"""

from dataclasses import dataclass, field as dataclass_field

from systemrdl.node import AddrmapNode, FieldNode, Node, RegfileNode, RegNode, SignalNode
from systemrdl.rdltypes import OnWriteType

TYPE_PREFIX = "espalier_"
PAGE_SUFFIX = "_page"


class ModelError(Exception):
    """The source uses something that the exporters do not know."""


@dataclass(frozen=True)
class EnumValue:
    name: str  # as in the RDL, upper case
    value: int
    desc: str


@dataclass(frozen=True)
class Enum:
    name: str  # without the project prefix, lower case
    width: int  # bits of the fields that hold it
    values: tuple[EnumValue, ...]


@dataclass(frozen=True)
class Field:
    name: str
    lsb: int
    width: int
    desc: str
    sw_readable: bool
    sw_writable: bool
    hw_readable: bool
    hw_writable: bool
    on_write: str  # "", "woset" or "woclr"
    reset: int | None
    enum: Enum | None
    hw_owned: bool  # the bits are stored outside the register block
    pulse: bool  # a write is an event, nothing is stored
    write_event: bool  # swmod: hardware is told of each write
    clear_signal: str  # name of the signal that clears the field, or ""
    locked_by: tuple[str, str] | None  # register and field that block writes while 1

    @property
    def mask(self) -> int:
        return ((1 << self.width) - 1) << self.lsb

    @property
    def access(self) -> str:
        if self.sw_readable and not self.sw_writable:
            return "ro"
        if self.sw_writable and not self.sw_readable:
            return "wo"
        return {"": "rw", "woset": "rw1s", "woclr": "rw1c"}[self.on_write]


@dataclass(frozen=True)
class Register:
    name: str  # dotted path from its page or map: "ctrl", "sa.key"
    offset: int  # bytes from the start of its page or map
    width: int  # bits
    desc: str
    fields: tuple[Field, ...]
    external: bool  # lives outside the generated register block
    count: int  # elements, 1 for a single register
    stride: int  # bytes between elements, 0 for a single register

    @property
    def is_array(self) -> bool:
        return self.stride != 0

    @property
    def whole(self) -> bool:
        """One field that fills the register: the register's value is the field's."""
        return len(self.fields) == 1 and self.fields[0].width == self.width

    @property
    def access(self) -> str:
        kinds = {f.access for f in self.fields}
        if kinds == {"ro"}:
            return "ro"
        if kinds == {"wo"}:
            return "wo"
        return "rw"


@dataclass(frozen=True)
class PageInstance:
    name: str
    base: int
    count: int
    stride: int


@dataclass(frozen=True)
class Page:
    name: str  # "queue" for addrmap queue_page
    desc: str
    registers: tuple[Register, ...]
    instances: tuple[PageInstance, ...]


@dataclass(frozen=True)
class Signal:
    name: str
    desc: str


@dataclass(frozen=True)
class Map:
    name: str
    desc: str
    size: int  # bytes that the address lines reach, a power of two
    registers: tuple[Register, ...]
    pages: tuple[Page, ...]
    signals: tuple[Signal, ...]

    @property
    def address_width(self) -> int:
        return (self.size - 1).bit_length()


@dataclass(frozen=True)
class Record:
    """A record of more than 32 bits in host memory: one wide RDL register."""

    name: str
    desc: str
    width: int  # bits
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class WordRecord:
    """A record that is written through a window of 32-bit registers."""

    name: str
    desc: str
    words: int
    registers: tuple[Register, ...]
    window: str  # name of its instance in the register map


@dataclass
class Model:
    map: Map
    records: tuple[Record, ...]
    word_records: tuple[WordRecord, ...]
    enums: tuple[Enum, ...] = dataclass_field(default=())


def build(nic: AddrmapNode, records: AddrmapNode) -> Model:
    """Reduces the two top-level maps of espalier.rdl."""
    builder = _Builder()
    nic_map = builder.map(nic)
    wide: list[Record] = []
    windowed: list[WordRecord] = []
    for child in records.children(unroll=False):
        if isinstance(child, RegNode):
            wide.append(builder.record(child))
        elif isinstance(child, RegfileNode):
            windowed.append(builder.word_record(child, nic))
        else:
            raise ModelError(f"{child.get_path()}: neither a reg nor a regfile")
    return Model(nic_map, tuple(wide), tuple(windowed), tuple(builder.enums.values()))


class _Builder:
    def __init__(self) -> None:
        self.enums: dict[str, Enum] = {}

    def map(self, nic: AddrmapNode) -> Map:
        registers: list[Register] = []
        pages: dict[str, Page] = {}
        for child in nic.children(unroll=False):
            if isinstance(child, AddrmapNode):
                self._page(child, pages)
            elif isinstance(child, SignalNode):
                continue
            else:
                registers += self._flatten(child, "", 0, False)
        size = 1 << (nic.size - 1).bit_length()
        signals = tuple(Signal(s.inst_name, _desc(s)) for s in nic.signals())
        return Map(nic.inst_name, _desc(nic), size, tuple(registers), tuple(pages.values()), signals)

    def record(self, node: RegNode) -> Record:
        return Record(node.inst_name, _desc(node), node.get_property("regwidth"), self._fields(node))

    def word_record(self, node: RegfileNode, nic: AddrmapNode) -> WordRecord:
        windows = [c.inst_name for c in nic.children() if isinstance(c, RegfileNode)
                   and c.orig_type_name == node.orig_type_name]
        if len(windows) != 1:
            raise ModelError(f"{node.get_path()}: needs exactly one window in {nic.inst_name}, has {len(windows)}")
        registers = self._flatten(node, "", -node.raw_address_offset, False)
        registers = [_strip(r, node.inst_name + ".") for r in registers]
        end = 0
        for r in registers:
            if r.offset != end:
                raise ModelError(f"{node.get_path()}.{r.name}: a gap before it in a record of words")
            end += 4 * r.count
        return WordRecord(node.inst_name, _desc(node), end // 4, tuple(registers), windows[0])

    def _page(self, node: AddrmapNode, pages: dict[str, Page]) -> None:
        name = node.orig_type_name or node.inst_name
        if not name.endswith(PAGE_SUFFIX):
            raise ModelError(f"{node.get_path()}: the name of a page's type ends in {PAGE_SUFFIX}")
        name = name.removesuffix(PAGE_SUFFIX)
        count, stride = _array(node)
        instance = PageInstance(node.inst_name, node.raw_address_offset, count, stride)
        if name in pages:
            old = pages[name]
            pages[name] = Page(old.name, old.desc, old.registers, old.instances + (instance,))
            return
        registers: list[Register] = []
        for child in node.children(unroll=False):
            registers += self._flatten(child, "", 0, True)
        if any(r.is_array for r in registers):
            raise ModelError(f"{node.get_path()}: an array inside a page that is an array")
        pages[name] = Page(name, _desc(node), tuple(registers), (instance,))

    def _flatten(self, node: Node, prefix: str, base: int, external: bool) -> list[Register]:
        if isinstance(node, RegfileNode):
            if node.is_array:
                raise ModelError(f"{node.get_path()}: arrays of register files are not used")
            out: list[Register] = []
            for child in node.children(unroll=False):
                out += self._flatten(child, f"{prefix}{node.inst_name}.", base + node.raw_address_offset,
                                     external or node.external)
            return [_with_context(r, node) for r in out]
        if not isinstance(node, RegNode):
            raise ModelError(f"{node.get_path()}: neither a register nor a register file")
        if node.get_property("regwidth") != 32:
            raise ModelError(f"{node.get_path()}: registers are 32 bits wide")
        count, stride = _array(node)
        return [Register(prefix + node.inst_name, base + node.raw_address_offset, 32, _desc(node),
                         self._fields(node), external or node.external, count, stride)]

    def _fields(self, node: RegNode) -> tuple[Field, ...]:
        return tuple(self._field(f) for f in node.fields())

    def _field(self, node: FieldNode) -> Field:
        on_write = node.get_property("onwrite")
        names = {None: "", OnWriteType.woset: "woset", OnWriteType.woclr: "woclr"}
        if on_write not in names:
            raise ModelError(f"{node.get_path()}: onwrite {on_write.name} is not supported")
        owned = bool(node.get_property("hw_owned"))
        if on_write is not None and not owned:
            raise ModelError(f"{node.get_path()}: woset and woclr fields are hw_owned")
        clear = node.get_property("hwclr")
        if clear is True or isinstance(clear, FieldNode):
            raise ModelError(f"{node.get_path()}: hwclr names a signal")
        lock = node.get_property("swwel")
        if isinstance(lock, SignalNode) or lock is True:
            raise ModelError(f"{node.get_path()}: swwel names a field")
        return Field(
            name=node.inst_name,
            lsb=node.low,
            width=node.width,
            desc=_desc(node),
            sw_readable=node.is_sw_readable,
            sw_writable=node.is_sw_writable,
            hw_readable=node.is_hw_readable,
            hw_writable=node.is_hw_writable,
            on_write=names[on_write],
            reset=node.get_property("reset"),
            enum=self._enum(node),
            hw_owned=owned,
            pulse=bool(node.get_property("pulse")),
            write_event=bool(node.get_property("swmod")),
            clear_signal=clear.inst_name if clear else "",
            locked_by=(lock.parent.inst_name, lock.inst_name) if lock else None,
        )

    def _enum(self, node: FieldNode) -> Enum | None:
        encode = node.get_property("encode")
        if encode is None:
            return None
        name = encode.type_name.removeprefix(TYPE_PREFIX)
        values = tuple(EnumValue(m.name, m.value, m.rdl_desc or "") for m in encode)
        enum = Enum(name, node.width, values)
        if self.enums.setdefault(name, enum) != enum:
            raise ModelError(f"{node.get_path()}: enum {name} is used with another width elsewhere")
        return enum


def _desc(node: Node) -> str:
    desc = node.get_property("desc")
    if not desc:
        raise ModelError(f"{node.get_path()}: has no desc")
    return " ".join(desc.split())


def _array(node: Node) -> tuple[int, int]:
    if not node.is_array:
        return 1, 0
    if len(node.array_dimensions) != 1:
        raise ModelError(f"{node.get_path()}: arrays have one dimension")
    return node.array_dimensions[0], node.array_stride


def _strip(r: Register, prefix: str) -> Register:
    return Register(r.name.removeprefix(prefix), r.offset, r.width, r.desc, r.fields, r.external, r.count, r.stride)


def _with_context(r: Register, parent: RegfileNode) -> Register:
    """A counter's halves share their register file's description."""
    if parent.orig_type_name == "stat_counter":
        desc = f"{_desc(parent)}: {r.desc[0].lower()}{r.desc[1:]}"
        return Register(r.name, r.offset, r.width, desc, r.fields, r.external, r.count, r.stride)
    return r
