"""LLVM's text, written one vector instruction at a time: a vector register holds one scalar of W twins."""

import struct
from typing import final

import numpy as np

_COMPARE = {"lt": "olt", "le": "ole", "eq": "oeq", "ne": "une"}
_ARITHMETIC = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_INTRINSIC = {"sqrt", "exp", "log", "sin", "cos", "tan", "atan", "tanh", "floor", "ceil", "pow"}
_AHEAD_BYTES = 512


@final
class Text:
    """Writes vector instructions; every method returns the name of its result. at: the first twin of the vector."""

    def __init__(self, real: str, width: int, fast: bool, single: bool, ahead: bool) -> None:
        self.real, self.width, self.single = real, width, single
        self.type = real if width == 1 else f"<{width} x {real}>"
        self.bits = "i1" if width == 1 else f"<{width} x i1>"
        self.zero = "0.0" if width == 1 else "zeroinitializer"
        self.flags = "nsz contract arcp " if fast else ""
        self.ahead = ahead
        self.at = "%i"
        self.lines: list[str] = []
        self.declared: set[str] = set()
        self._next = 0

    def line(self, text: str) -> None:
        """An instruction without a result."""
        self.lines.append("  " + text)

    def name(self, text: str) -> str:
        """An instruction with one."""
        self._next += 1
        self.line(f"%v{self._next} = {text}")
        return f"%v{self._next}"

    def constant(self, value: float) -> str:
        """The number in all lanes."""
        number = float(np.float32(value)) if self.single else value
        bits = f"0x{struct.unpack('>Q', struct.pack('>d', number))[0]:016X}"
        return bits if self.width == 1 else "<" + ", ".join([f"{self.real} {bits}"] * self.width) + ">"

    def load(self, array: str, row: str) -> str:
        """W neighbours of a row, from `at` on."""
        address = self._address(array, row)
        if self.ahead:  # more rows than the processor's own prefetcher follows
            later = self.name(f"getelementptr i8, ptr {address}, i64 {_AHEAD_BYTES}")
            self.declared.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
            self.line(f"call void @llvm.prefetch.p0(ptr {later}, i32 0, i32 3, i32 1)")
        return self.name(f"load {self.type}, ptr {address}, align {4 if self.single else 8}")

    def store(self, array: str, row: str, value: str) -> None:
        """Where `load` reads."""
        address = self._address(array, row)
        self.line(f"store {self.type} {value}, ptr {address}, align {4 if self.single else 8}")

    def load_at(self, array: str, k: str, rows: int, row: int) -> str:
        """The same of event `k`, of `rows` rows each."""
        return self.load(array, self._row(k, rows, row))

    def store_at(self, array: str, k: str, rows: int, row: int, value: str) -> None:
        """Where `load_at` reads."""
        self.store(array, self._row(k, rows, row), value)

    def _row(self, k: str, rows: int, row: int) -> str:
        return self.name(f"add i64 {self.name(f'mul i64 {k}, {rows}')}, {row}")

    def _address(self, array: str, row: str) -> str:
        place = self.name(f"add i64 {self.name(f'mul i64 {row}, %n')}, {self.at}")
        return self.name(f"getelementptr {self.real}, ptr %{array}, i64 {place}")

    def differs(self, x: str) -> str:
        """Which lanes are not 0: what follows the name of a bit."""
        return f"fcmp une {self.type} {x}, {self.constant(0.0)}"

    def select(self, condition: str, a: str, b: str) -> str:
        """a where the bit is set, else b."""
        return self.name(f"select {self.bits} {condition}, {self.type} {a}, {self.type} {b}")

    def spread(self, bit: str) -> str:
        """One bit in all lanes."""
        if self.width == 1:
            return bit
        one = self.name(f"insertelement {self.bits} poison, i1 {bit}, i32 0")
        lanes = f"<{self.width} x i32> zeroinitializer"
        return self.name(f"shufflevector {self.bits} {one}, {self.bits} poison, {lanes}")

    def truth(self, comparison: str) -> str:
        """1 where the comparison holds, else 0."""
        return self.select(self.name(comparison), self.constant(1.0), self.constant(0.0))

    def arithmetic(self, op: str, a: str, b: str) -> str:
        """One of LLVM's floating-point operations."""
        return self.name(f"{op} {self.flags}{self.type} {a}, {b}")

    def call(self, function: str, *x: str, flags: str = "") -> str:
        """A function of numbers, declared when first called."""
        kinds = ", ".join([self.type] * len(x))
        self.declared.add(f"declare {self.type} @{function}({kinds})")
        return self.name(f"call {flags}{self.type} @{function}({', '.join(f'{self.type} {v}' for v in x)})")

    def operation(self, op: str, x: list[str]) -> str:
        """An instruction of scalars.py."""
        if op in _ARITHMETIC:
            return self.arithmetic(_ARITHMETIC[op], x[0], x[1])
        if op in _INTRINSIC:
            kind = (
                ("f32" if self.single else "f64") if self.width == 1 else f"v{self.width}f{32 if self.single else 64}"
            )
            return self.call(f"llvm.{op}.{kind}", *x, flags=self.flags)
        if op in _COMPARE:
            return self.truth(f"fcmp {_COMPARE[op]} {self.type} {x[0]}, {x[1]}")
        match op:
            case "same":
                return x[0]
            case "neg":
                return self.name(f"fneg {self.type} {x[0]}")
            case "inv":
                return self.arithmetic("fdiv", self.constant(1.0), x[0])
            case "sq":
                return self.arithmetic("fmul", x[0], x[0])
            case "twice":
                return self.arithmetic("fadd", x[0], x[0])
            case "abs":
                return self.call(f"llvm.fabs.{self._kind()}", x[0])
            case "max" | "min":
                test = self.name(f"fcmp {'ogt' if op == 'max' else 'olt'} {self.type} {x[0]}, {x[1]}")
                return self.select(test, x[0], x[1])
            case "sign":
                low = self.name(f"fcmp olt {self.type} {x[0]}, {self.constant(0.0)}")
                high = self.name(f"fcmp ogt {self.type} {x[0]}, {self.constant(0.0)}")
                return self.select(low, self.constant(-1.0), self.select(high, self.constant(1.0), x[0]))
            case "if":
                return self.select(self.name(self.differs(x[0])), x[1], self.constant(0.0))
            case "not":
                return self.truth(f"fcmp oeq {self.type} {x[0]}, {self.constant(0.0)}")
            case _:
                a, b = self.name(self.differs(x[0])), self.name(self.differs(x[1]))
                return self.truth(f"{op} {self.bits} {a}, {b}")

    def _kind(self) -> str:
        bits = "f32" if self.single else "f64"
        return bits if self.width == 1 else f"v{self.width}{bits}"
