"""Lines of goods and their total."""

from __future__ import annotations

from dataclasses import dataclass, field

from shop._money import cents, format_cents


@dataclass
class Cart:
    """What somebody is about to buy; prices in cents."""

    lines: list[tuple[str, int, int]] = field(default_factory=list)

    def add(self, name: str, price: str, count: int = 1) -> None:
        """Put ``count`` pieces at ``price`` (such as ``"2.50"``) into the cart."""
        if count < 1:
            raise ValueError("at least one piece")
        self.lines.append((name, cents(price), count))

    @property
    def total(self) -> int:
        return sum(price * count for _, price, count in self.lines)

    def receipt(self) -> str:
        """One line a good, sorted by name, and the total."""
        lines = [f"{count:3d} x {name:<20} {format_cents(price * count):>10}" for name, price, count in sorted(self.lines)]
        return "\n".join([*lines, f"      {'total':<20} {format_cents(self.total):>10}"])
