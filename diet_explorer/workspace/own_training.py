"""Runs of training scripts of somebody's own, as seen from outside the script: alive or ended, closed by a user."""

from __future__ import annotations

from collections.abc import Sequence

from diet_explorer.errors import BadInputError
from diet_explorer.scoring.own_run import GOES_ON
from diet_explorer.scoring.progress import SeedProgress, missing_in_words
from diet_explorer.store.presence import SILENT_SECONDS, forget_presence, is_present, last_report
from diet_explorer.store.runs import RunRecord
from diet_explorer.store.workers import WorkerRecords
from diet_explorer.workspace.context import Context


def settled(context: Context, record: RunRecord) -> RunRecord:
    """The record of a run, closed as interrupted where its training script is gone."""
    if record.origin != "callback" or record.status != "running":
        return record
    script, now = last_report(context.database, record.id)
    if script is None:
        since = record.started_at or record.created_at
        if (now - since).total_seconds() < SILENT_SECONDS:
            return record
    elif is_present(context.settings, script, record.id, now):
        return record
    else:
        since = script.seen_at
    error = f"The training script has ended before its training did; its last report was at {since:%H:%M UTC on %d %B}."
    if context.records.set_status(
        record.id, "interrupted", error=error, remedy=GOES_ON, at=since, only_from={"running"}
    ):
        forget_presence(context.settings, record.id)
        if script is not None:
            WorkerRecords(context.database).leave(script)
    return context.records.get(record.id, deleted=True)


def notes_on(
    context: Context, record: RunRecord, planned: Sequence[float], seeds: Sequence[SeedProgress]
) -> tuple[str, ...]:
    """What to know of a run: which script is training for it, or which of its planned checkpoints have no scores."""
    if record.is_active:
        script = _script_in_words(context, record)
        return () if script is None else (script,)
    words = (missing_in_words(planned, seed, complete=record.status == "succeeded") for seed in seeds)
    return tuple(dict.fromkeys(entry for entry in words if entry is not None))


def _script_in_words(context: Context, record: RunRecord) -> str | None:
    if record.origin != "callback":
        return None
    script, now = last_report(context.database, record.id)
    if script is None:
        return None
    where = f"{script.host} (process {script.pid})"
    return f"A training script on {where} trains; it last reported {script.seconds_silent(now):.0f} s ago."


def close_own(context: Context, record: RunRecord) -> None:
    """Close the run of a training script for a user: the script records nothing more, and trains on if it is alive."""
    if not context.records.set_status(record.id, "cancelled", only_from={"queued", "running", "interrupted"}):
        status = context.records.get(record.id).status
        raise BadInputError(
            f"The run {record.id} cannot be cancelled: it has ended ({status}).",
            "Choose a run that is queued or running.",
        )
