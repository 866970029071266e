"""Which trainings no proof needs any more, because it has decided without them."""

from __future__ import annotations

import logging
from contextlib import suppress

from diet_explorer.errors import DietExplorerError, NotFoundError
from diet_explorer.jobs.context import WorkerContext
from diet_explorer.pruning.trainings import ProofTrainings, TrainingResults
from diet_explorer.store.layout import Layout

logger = logging.getLogger("diet_explorer.jobs")


def needless_trainings(context: WorkerContext, run_id: str) -> set[str]:
    """Trainings that no proof needs any more, this one among them; none if it is needed.

    A proof of a fixed number of seeds needs all of its trainings, one in the bin none. What cannot be looked up is
    taken to be needed.
    """
    try:
        if context.runs.get(run_id).origin != "proof":
            return set()
        proofs = _proofs(context)
        asking = [proof for proof, _ in proofs if any(entry.run_id == run_id for entry in proof.trainings)]
        if not asking or any(proof.rule is None for proof in asking):
            return set()
        asked = {entry.run_id for proof in asking for entry in proof.trainings}
        needed: set[str] = set()
        for proof, known in proofs:
            if asked.intersection(entry.run_id for entry in proof.trainings):
                needed.update(entry.run_id for entry in proof.needed(known))
        return asked - needed if run_id not in needed else set()
    except DietExplorerError as error:
        logger.warning("Cannot look which proofs need run %s: %s", run_id, error)
        return set()


def _proofs(context: WorkerContext) -> list[tuple[ProofTrainings, TrainingResults]]:
    """All proofs but those in the bin, each with what is known of its trainings."""
    files, layout, marks = context.files, Layout(context.files), context.bin.keys()
    proofs = []
    for name in layout.ids(layout.proofs):
        if ("proof", name) not in marks and files.exists(layout.proof(name)):
            record = files.read_json(layout.proof(name))
            with suppress(NotFoundError):  # its run was deleted
                dataset_id = context.runs.get(record["run_id"]).dataset_id
                proofs.append((ProofTrainings.from_record(record), TrainingResults(files, dataset_id)))
    return proofs
