"""The record of a promise's tests: the faults that they injected, the results, and the violations."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Ledger:
    """The record of one test, or of all tests of a promise on one set-up."""

    faults: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    figures: dict[str, str] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def fault(self, what: str) -> None:
        self.faults[what] += 1

    def outcome(self, what: str, number: int = 1) -> None:
        self.outcomes[what] += number

    def figure(self, name: str, value: str) -> None:
        """Record a measured figure, with its unit."""
        self.figures[name] = value

    def violation(self, what: str) -> None:
        """Record a violation. The test goes on, and fails at its end."""
        self.violations.append(what)

    def expect(self, condition: object, otherwise: str) -> None:
        if not condition:
            self.violation(otherwise)

    def add(self, other: "Ledger") -> None:
        self.faults += other.faults
        self.outcomes += other.outcomes
        self.figures |= other.figures
        self.violations += other.violations

    def __str__(self) -> str:
        figures = "".join(f", {name} {value}" for name, value in self.figures.items())
        return f"{_list(self.faults)} | {_list(self.outcomes)}{figures} | {len(self.violations)} violations"


@dataclass(frozen=True, order=True)
class Promise:
    number: int
    name: str
    database: str


def _list(counter: Counter[str]) -> str:
    return ", ".join(f"{what} {number}x" for what, number in sorted(counter.items())) or "none"
