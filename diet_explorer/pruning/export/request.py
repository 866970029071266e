"""What is asked of an export: which plan, and how its rows are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from diet_explorer.errors import BadInputError
from diet_explorer.pruning.export.formats import EXPORT_FORMATS, ExportFormat
from diet_explorer.pruning.plan import Plan, plan
from diet_explorer.pruning.policies import Policy
from diet_explorer.review.decisions import Ledger
from diet_explorer.store.files import Files


@dataclass(frozen=True)
class ExportOptions:
    """How rows are written.

    Attributes
    ----------
    format : {"csv", "jsonl", "parquet", "datasets"}
    all_rows : bool
        Dropped rows too, each with the columns ``keep``, ``reason``, ``original_label``, ``note`` where there are
        notes, and its scores.
    neutralise_formulas : bool
        In CSV, put an apostrophe before texts that a spreadsheet would run as a formula.
    """

    format: ExportFormat = "csv"
    all_rows: bool = False
    neutralise_formulas: bool = False

    def __post_init__(self) -> None:
        if self.format not in EXPORT_FORMATS:
            raise BadInputError(
                f"There is no export format {self.format!r}.", f"Choose one of: {', '.join(EXPORT_FORMATS)}."
            )
        if self.neutralise_formulas and self.format != "csv":
            raise BadInputError(
                f"Formulas are neutralised in CSV only, not in {self.format}.", "Leave the option out, or choose csv."
            )


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """All that decides the bytes of an export.

    Attributes
    ----------
    run_id, dataset_id : str
    policy : Policy
        Its checkpoint is a number wherever it uses one.
    checkpoint : float or None
        Of the scores that the export hangs on; None where it hangs on none.
    decisions_at : int
        The ledger's last event that counts.
    options : ExportOptions
    """

    run_id: str
    dataset_id: str
    policy: Policy
    checkpoint: float | None
    decisions_at: int
    options: ExportOptions

    @classmethod
    def of(cls, run_id: str, planned: Plan, options: ExportOptions) -> ExportRequest:
        """The request that a plan is written."""
        used = planned.policy.needs_scores or options.all_rows
        return cls(
            run_id=run_id,
            dataset_id=planned.manifest.id,
            policy=planned.policy,
            checkpoint=planned.checkpoint if used else None,
            decisions_at=planned.decisions_at,
            options=options,
        )

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> ExportRequest:
        """The request that an export is written again."""
        return cls(
            run_id=manifest["run"]["id"],
            dataset_id=manifest["dataset"]["id"],
            policy=Policy.from_json(manifest["policy"]),
            checkpoint=manifest["scores"]["checkpoint"],
            decisions_at=manifest["decisions"]["position"],
            options=ExportOptions(**manifest["options"]),
        )

    def plan(self, files: Files, ledger: Ledger) -> Plan:
        """The plan that is written.

        Parameters
        ----------
        files : Files
        ledger : Ledger
            Of the request's dataset.
        """
        return plan(files, ledger, self.run_id, self.policy, self.checkpoint, self.decisions_at)
