"""An assembler for the few BPF instructions that Wherry's program needs.

Source: Linux Documentation/bpf/standardization/instruction-set.rst.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

_INSTRUCTION = struct.Struct("<BBhi")
_STACK_SIZE = 512

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, STACK = range(11)
"""Registers. R0 returns, R1 to R5 are arguments and lost in a call, R6 to R9 are kept, STACK is the stack's end."""


class Width(IntEnum):
    """How many bytes of memory are touched, as the instruction says it."""

    WORD = 0x00
    HALF = 0x08
    BYTE = 0x10
    DOUBLE = 0x18


class Operation(IntEnum):
    """Arithmetic on registers of 64 bits."""

    ADD = 0x00
    SUBTRACT = 0x10
    OR = 0x40
    AND = 0x50
    SHIFT_LEFT = 0x60
    SHIFT_RIGHT = 0x70
    MOVE = 0xB0


class Condition(IntEnum):
    """When to jump; all comparisons are unsigned."""

    ALWAYS = 0x00
    EQUAL = 0x10
    GREATER = 0x20
    AT_LEAST = 0x30
    BITS_SET = 0x40
    NOT_EQUAL = 0x50
    LESS = 0xA0
    AT_MOST = 0xB0


_ALU64, _JUMP, _LOAD, _STORE, _STORE_IMMEDIATE, _LOAD_IMMEDIATE = 0x07, 0x05, 0x61, 0x63, 0x62, 0x18
_REGISTER = 0x08
_CALL, _EXIT = 0x85, 0x95
_ATOMIC = 0xC3
_MAP_DESCRIPTOR = 1


class AssemblyRefused(ValueError):
    """An instruction can't be written: a label is missing, a jump is too long, a number is too large."""


@dataclass(frozen=True, slots=True)
class Register:
    """Names a register where a number could stand as well."""

    number: int


@dataclass(slots=True)
class _Line:
    code: int
    destination: int = 0
    source: int = 0
    offset: int = 0
    immediate: int = 0
    label: str = ""


class Assembly:
    """A program that is being written, line by line."""

    def __init__(self) -> None:
        self._lines: list[_Line] = []
        self._labels: dict[str, int] = {}

    def label(self, name: str) -> None:
        """Name the next instruction. Raises AssemblyRefused when the name is taken."""
        if name in self._labels:
            raise AssemblyRefused(f"the label {name} stands twice")
        self._labels[name] = len(self._lines)

    def compute(self, operation: Operation, destination: int, value: int | Register) -> None:
        """Change a register by a number or another register."""
        if isinstance(value, Register):
            self._add(_ALU64 | _REGISTER | operation, destination, value.number)
        else:
            self._add(_ALU64 | operation, destination, immediate=value)

    def load(self, width: Width, destination: int, base: int, offset: int) -> None:
        """Read memory at register *base* + *offset* bytes; the upper bits become zero."""
        self._add(_LOAD | width, destination, base, offset)

    def store(self, width: Width, base: int, offset: int, value: int | Register) -> None:
        """Write a number or a register to memory."""
        if isinstance(value, Register):
            self._add(_STORE | width, base, value.number, offset)
        else:
            self._add(_STORE_IMMEDIATE | width, base, offset=offset, immediate=value)

    def add_atomically(self, base: int, offset: int, source: int) -> None:
        """Add a register to eight bytes of memory."""
        self._add(_ATOMIC | Width.DOUBLE, base, source, offset)

    def load_map(self, destination: int, descriptor: int) -> None:
        """Put the address of the map that is open as *descriptor* into a register."""
        self._add(_LOAD_IMMEDIATE, destination, _MAP_DESCRIPTOR, immediate=descriptor)
        self._lines.append(_Line(0))

    def jump(
        self, label: str, condition: Condition = Condition.ALWAYS, left: int = 0, right: int | Register = 0
    ) -> None:
        """Go on at *label* when register *left* compares with *right* so."""
        if isinstance(right, Register):
            self._add(_JUMP | _REGISTER | condition, left, right.number)
        else:
            self._add(_JUMP | condition, left, immediate=right)
        self._lines[-1].label = label

    def call(self, helper: int) -> None:
        """Call a function of the kernel by its number."""
        self._add(_CALL, immediate=helper)

    def end(self) -> None:
        """Return what R0 holds."""
        self._add(_EXIT)

    def assemble(self) -> bytes:
        """Return the program. Raises AssemblyRefused."""
        return b"".join(self._encode(place, line) for place, line in enumerate(self._lines))

    def _add(self, code: int, destination: int = 0, source: int = 0, offset: int = 0, immediate: int = 0) -> None:
        if STACK in {destination, source} and not -_STACK_SIZE <= offset <= 0:
            raise AssemblyRefused(f"{offset} is not on the stack")
        self._lines.append(_Line(code, destination, source, offset, immediate))

    def _encode(self, place: int, line: _Line) -> bytes:
        offset = line.offset
        if line.label:
            if line.label not in self._labels:
                raise AssemblyRefused(f"there is no label {line.label}")
            offset = self._labels[line.label] - place - 1
        try:
            return _INSTRUCTION.pack(line.code, line.source << 4 | line.destination, offset, line.immediate)
        except struct.error as error:
            raise AssemblyRefused(f"instruction {place} doesn't fit: {error}") from error
