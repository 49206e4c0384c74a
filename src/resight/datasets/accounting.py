"""How many files were there, how many are used, and why not the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["DUPLICATE", "HIDDEN", "NO_LABEL", "OTHER_FOLDER", "OUTSIDE", "UNREADABLE", "Accounting"]

HIDDEN = "hidden or of the system"
UNREADABLE = "unreadable"
DUPLICATE = "duplicate"
OUTSIDE = "outside the table's folder"
BY_URL = "by URL, which only extract and gallery add read"
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
    several : int
        Images that hold several pictures (GIF, TIFF, WebP); only the first one is read.
    """

    used: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    several: int = 0

    @property
    def there(self) -> int:
        """All files: used and left out."""
        return self.used + sum(self.left_out.values())

    def __add__(self, other: Accounting) -> Accounting:
        return Accounting(self.used + other.used, Counter(self.left_out) + Counter(other.left_out), self.several + other.several)

    def without(self, reason: str, count: int) -> Accounting:
        """The same files, of which `count` that were used are left out for a reason."""
        return replace(self, used=self.used - count, left_out=Counter(self.left_out) + Counter({reason: count}))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: there, used, left_out; and several_pictures, if there are any."""
        values = {"there": self.there, "used": self.used, "left_out": dict(sorted(self.left_out.items()))}
        return values | ({"several_pictures": self.several} if self.several else {})

    def __str__(self) -> str:
        reasons = ", ".join(
            f"{count} {reason}" for reason, count in sorted(self.left_out.items(), key=lambda each: (-each[1], each))
        )
        left_out = f"{sum(self.left_out.values())} left out" + (f" ({reasons})" if reasons else "")
        several = f"; {self.several} of them hold several pictures, and the first one is read" if self.several else ""
        return f"files: {self.there} there, {self.used} used, {left_out}{several}"
