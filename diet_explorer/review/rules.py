"""How a dataset is reviewed: the same for everybody, and kept in the ledger like everything that was decided."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from diet_explorer.errors import BadInputError

MAX_OVERLAP = 10


@dataclass(frozen=True)
class ReviewRules:
    """How a dataset is reviewed.

    With an overlap of 1 the latest decision about an example holds. From 2 on, opinions that differ are a conflict:
    nothing holds for the example until somebody adjudicates.
    """

    overlap: int = 1  # how many people decide about each example
    blind: bool = False  # whether an annotator decides without seeing suggestions, scores and the votes of others
    audit_share: float = 0.0  # of the queue drawn at random from all of it to estimate the errors left, in [0, 0.5]

    def validated(self) -> ReviewRules:
        """These rules; BadInputError where a number is out of its range."""
        if not 1 <= self.overlap <= MAX_OVERLAP:
            raise BadInputError(
                f"The overlap cannot be {self.overlap}.", f"Give a number of people from 1 to {MAX_OVERLAP}."
            )
        if not 0 <= self.audit_share <= 0.5:
            raise BadInputError(
                f"The audit share, of random examples, cannot be {self.audit_share}.", "Give a number from 0 to 0.5."
            )
        return self

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ReviewRules:
        """The rules that `to_json` has described; BadInputError where they cannot be such."""
        try:
            return cls(int(values["overlap"]), bool(values["blind"]), float(values["audit_share"])).validated()
        except (KeyError, TypeError, ValueError) as error:
            raise BadInputError(
                f"These are no review rules: {values!r}.", "Give overlap, blind and audit_share."
            ) from error
