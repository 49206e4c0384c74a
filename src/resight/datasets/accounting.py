"""How many files were there, how many are used, and why not the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["DUPLICATE", "HIDDEN", "NO_LABEL", "OTHER_FOLDER", "OUTSIDE", "UNREADABLE", "Accounting"]

HIDDEN = "hidden or of the system"
UNREADABLE = "unreadable"
DUPLICATE = "duplicate"
OUTSIDE = "outside the table's folder"
NO_LABEL = "label missing"
OTHER_FOLDER = "in a folder that the layout does not use"


@dataclass(frozen=True)
class Accounting:
    """Counts of the files that a command met.

    Attributes
    ----------
    used : int
        Files that the command uses.
    left_out : mapping of str to int
        Files that it does not use, by reason.
    """

    used: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def there(self) -> int:
        """All files: used and left out."""
        return self.used + sum(self.left_out.values())

    def __add__(self, other: Accounting) -> Accounting:
        return Accounting(self.used + other.used, Counter(self.left_out) + Counter(other.left_out))

    def without(self, reason: str, count: int) -> Accounting:
        """The same files, of which `count` that were used are left out for a reason."""
        return Accounting(self.used - count, Counter(self.left_out) + Counter({reason: count}))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: there, used, left_out."""
        return {"there": self.there, "used": self.used, "left_out": dict(sorted(self.left_out.items()))}

    def __str__(self) -> str:
        reasons = ", ".join(
            f"{count} {reason}" for reason, count in sorted(self.left_out.items(), key=lambda each: (-each[1], each))
        )
        return f"files: {self.there} there, {self.used} used, {sum(self.left_out.values())} left out" + (
            f" ({reasons})" if reasons else ""
        )
