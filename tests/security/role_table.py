"""Roles × verbs: the least role that every public verb of the library takes, with a call that tries it."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.shelf import SavedPolicy
from diet_explorer.review.annotators import Role
from diet_explorer.review.decisions import Ledger
from diet_explorer.review.queue import ReviewQueue
from diet_explorer.review.rules import ReviewRules
from diet_explorer.store.bin import BinEntry
from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.audit import Audit
from diet_explorer.workspace.bin.bin import Bin
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.dynamics import Dynamics
from diet_explorer.workspace.exports import Export
from diet_explorer.workspace.maps import Maps
from diet_explorer.workspace.proof import Proof
from diet_explorer.workspace.proofs import Proofs
from diet_explorer.workspace.pruning import Pruning, RunPlan
from diet_explorer.workspace.review import Review
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace

ROLES: tuple[Role, ...] = ("nobody", "viewer", "annotator", "lead")
CLASSES = (
    Workspace,
    Dataset,
    Run,
    Dynamics,
    Audit,
    Review,
    Maps,
    Pruning,
    RunPlan,
    Proofs,
    Proof,
    Export,
    Bin,
    Ledger,
    ReviewQueue,
)

# Class by class, the verbs that take each role, and all above it.
TABLE: dict[str, dict[Role, str]] = {
    "Workspace": {
        "nobody": "acting_as reading_within settings from_backup upgrade",
        "viewer": "bin datasets dataset runs run proofs proof exports export estimate estimates",
        "lead": "open_source open_upload import_dataset import_sample import_cartography record model score measure "
        "create_run export_again delete rename restore backup move move_back audit_log",
    },
    "Dataset": {
        "viewer": "load rows classes folder report examples search rows_of ids_of ledger notes guidelines "
        "guideline_versions progress conflicts set_aside",
        "annotator": "decide note undo queue",
        "lead": "export_decisions import_decisions set_guidelines",
    },
    "Run": {
        "viewer": "name given_name config dataset children refresh status is_own_training is_imported error remedy "
        "wait progress log delay landed checkpoints default_checkpoint checkpoint_or_default ranking "
        "landed_checkpoints score_names recorded_names ranked count position histogram card percentiles scores "
        "dynamics audit review maps pruning proofs show",
        "lead": "create cancel resume submit export_scores",
    },
    "Dynamics": {
        "viewer": "statistics stability seed_stability trajectories data_map agreement warnings compare "
        "compare_summary plot_map plot_score",
        "lead": "export_cartography",
    },
    "Audit": {
        "viewer": "suspects suspect order suggestions expected_errors witnesses evidence fold_run noise_report",
        "lead": "folds noise_check",
    },
    "Review": {
        "viewer": "agreement progress yield_ setup_for",
        "annotator": "decide accept_suggestions queue undo",
        "lead": "send_to take_back",
    },
    "Maps": {"viewer": "neighbours neighbour_agreement progress bin_id stamp plot", "lead": "draw cancel"},
    "Pruning": {
        "viewer": "plan resolved policies saved_policy population",
        "lead": "save_policy rename_policy bring_back_policy delete_policy",
    },
    "RunPlan": {
        "viewer": "rows labels dropped counts reasons preview",
        "lead": "export submit_export",
    },
    "Proofs": {"viewer": "list estimate", "lead": "start hold_out"},
    "Proof": {"viewer": "progress table plot verdicts results comparisons intervals wait", "lead": "cancel resume"},
    "Export": {
        "viewer": "request run_id marks name policy options folder created_at by status progress manifest "
        "reading_code archive wait push_progress wait_for_push",
        "lead": "cancel rename push cancel_push",
    },
    "Bin": {
        "viewer": "key plan entries size leftovers cautions noun is_expired ends age",
        "lead": "rename delete restore empty clean",
    },
    "Ledger": {
        "viewer": "acting_as rules guidelines guideline_versions guideline_news guideline_use "
        "replay position events event history notes noted row_notes last_event standing table table_of "
        "votes counts progress pace annotators conflicts agreement review_yield errors_left advice",
        "annotator": "who decide note undo sent_by_filter",
        "lead": "adjudicate set_rules set_guidelines",
    },
    "ReviewQueue": {"annotator": "current coming progress errors_left show forward back is_random decide undo release"},
}

_DECISIONS = Policy(kind="decisions")
_ENTRY = BinEntry("dataset", "dataset-0", "x", "ann", datetime(2026, 1, 1, tzinfo=UTC), 0)
_NOWHERE = Path("/proc/nowhere")

# How verbs are called that take arguments; what a lead asks for is refused for another reason where it would take long.
CALLS: dict[str, Callable[[Any], Any]] = {
    "Workspace.acting_as": lambda it: it.acting_as(None),
    "Workspace.reading_within": lambda it: it.reading_within(it.context.reach),
    "Workspace.dataset": lambda it: it.dataset("reviews"),
    "Workspace.run": lambda it: it.run("a run"),
    "Workspace.proof": lambda it: it.proof("proof-1"),
    "Workspace.export": lambda it: it.export("export-1"),
    "Workspace.estimate": lambda it: it.estimate(it.datasets()[0], RunConfig("dataset-1")),
    "Workspace.estimates": lambda it: it.estimates(it.datasets()[0], RunConfig("dataset-1")),
    "Workspace.open_source": lambda it: it.open_source(_NOWHERE),
    "Workspace.open_upload": lambda it: it.open_upload(_NOWHERE),
    "Workspace.import_dataset": lambda it: it.import_dataset(_NOWHERE, text="text", label="label"),
    "Workspace.import_cartography": lambda it: it.import_cartography("reviews", _NOWHERE),
    "Workspace.record": lambda it: it.record("reviews", [[1.0]], kind="logits"),
    "Workspace.model": lambda it: it.model("owner/name"),
    "Workspace.score": lambda it: it.score("reviews", batch_size=0),
    "Workspace.measure": lambda it: it.measure(it.datasets()[0], RunConfig("dataset-1", batch_size=0)),
    "Workspace.create_run": lambda it: it.create_run(RunConfig("dataset-1"), name="x", origin="job"),
    "Workspace.export_again": lambda it: it.export_again(_NOWHERE),
    "Workspace.delete": lambda it: it.delete("policy:a run/kept"),
    "Workspace.rename": lambda it: it.rename("run:a run", "a run"),
    "Workspace.restore": lambda it: it.restore(_ENTRY),
    "Workspace.from_backup": lambda it: it.from_backup,
    "Workspace.upgrade": lambda it: it.upgrade,
    "Workspace.move": lambda it: it.move(f"{it.context.files.root}-moved"),
    "Workspace.backup": lambda it: it.backup(f"{it.context.files.root}-backup"),
    "Dataset.load": lambda it: type(it).load(it.context, it.id),
    "Dataset.search": lambda it: it.search("film"),
    "Dataset.rows_of": lambda it: it.rows_of(["k001"]),
    "Dataset.ids_of": lambda it: it.ids_of(np.array([0])),
    "Dataset.decide": lambda it: it.decide([0], "keep", annotator="ann"),
    "Dataset.note": lambda it: it.note([0], "why", annotator="ann"),
    "Dataset.undo": lambda it: it.undo("ann"),
    "Dataset.queue": lambda it: it.queue(np.array([0, 1]), "ann"),
    "Dataset.set_guidelines": lambda it: it.set_guidelines("what is *meant* counts"),
    "Dataset.export_decisions": lambda it: it.export_decisions(io.StringIO()),
    "Dataset.import_decisions": lambda it: it.import_decisions(io.StringIO("")),
    "Run.create": lambda it: it.create(it.config, name="x", origin="folds"),
    "Run.wait": lambda it: it.wait(0),
    "Run.checkpoint_or_default": lambda it: it.checkpoint_or_default(None),
    "Run.card": lambda it: it.card(0),
    "Run.position": lambda it: it.position(0),
    "Run.percentiles": lambda it: it.percentiles(0),
    "Run.submit": lambda it: it.submit(),
    "Run.export_scores": lambda it: it.export_scores("/proc/nowhere/x.csv"),
    "Dynamics.compare": lambda it: it.compare(it._run),
    "Dynamics.compare_summary": lambda it: it.compare_summary(it._run),
    "Dynamics.export_cartography": lambda it: it.export_cartography(_NOWHERE),
    "Audit.suspect": lambda it: it.suspect(0),
    "Audit.folds": lambda it: it.folds(1),
    "Audit.noise_check": lambda it: it.noise_check(mode="none"),
    "Review.agreement": lambda it: it.agreement(10),
    "Review.decide": lambda it: it.decide(ExampleFilter(ids=("k001",)), "keep", annotator="ann"),
    "Review.accept_suggestions": lambda it: it.accept_suggestions(ExampleFilter(ids=("k001",)), annotator="ann"),
    "Review.queue": lambda it: it.queue("ann", "el2n"),
    "Review.setup_for": lambda it: it.setup_for("doccano"),
    "Review.send_to": lambda it: it.send_to("csv", io.StringIO()),
    "Review.take_back": lambda it: it.take_back(io.BytesIO(b""), tool="csv"),
    "Review.undo": lambda it: it.undo("ann"),
    "Maps.neighbours": lambda it: it.neighbours(0),
    "Maps.neighbour_agreement": lambda it: it.neighbour_agreement(0),
    "Maps.bin_id": lambda it: it.bin_id("tuned"),
    "Maps.draw": lambda it: it.draw(neighbors=0),
    "Pruning.plan": lambda it: it.plan(_DECISIONS),
    "Pruning.resolved": lambda it: it.resolved(_DECISIONS),
    "Pruning.saved_policy": lambda it: it.saved_policy("kept"),
    "Pruning.save_policy": lambda it: it.save_policy("", _DECISIONS),
    "Pruning.rename_policy": lambda it: it.rename_policy("kept", "kept"),
    "Pruning.bring_back_policy": lambda it: it.bring_back_policy(SavedPolicy("kept", _DECISIONS, datetime.now(UTC))),
    "Pruning.delete_policy": lambda it: it.delete_policy("none"),
    "RunPlan.preview": lambda it: it.preview(),
    "RunPlan.export": lambda it: it.export("/proc/nowhere"),
    "RunPlan.submit_export": lambda it: it.submit_export("/proc/self"),
    "Proofs.estimate": lambda it: it.estimate([_DECISIONS]),
    "Proofs.start": lambda it: it.start([_DECISIONS], seeds=1),
    "Proofs.hold_out": lambda it: it.hold_out(0),
    "Proof.wait": lambda it: it.wait(0),
    "Export.wait": lambda it: it.wait(0),
    "Export.rename": lambda it: it.rename("kept"),
    "Export.push": lambda it: it.push("no name", wait=False, token="t"),
    "Bin.key": lambda it: it.key("run:a run"),
    "Bin.plan": lambda it: it.plan("run:a run"),
    "Bin.size": lambda it: it.size("run:a run"),
    "Bin.noun": lambda it: [it.noun("run"), it.entries()],
    "Bin.is_expired": lambda it: [it.is_expired(_ENTRY), it.entries()],
    "Ledger.table_of": lambda it: it.table_of(np.array([0])),
    "Bin.ends": lambda it: [it.ends(_ENTRY), it.entries()],
    "Bin.age": lambda it: [it.age(_ENTRY), it.entries()],
    "Bin.rename": lambda it: it.rename("run:a run", "a run"),
    "Bin.delete": lambda it: it.delete("policy:a run/kept"),
    "Bin.restore": lambda it: it.restore(_ENTRY),
    "Bin.empty": lambda it: it.empty([]),
    "Ledger.acting_as": lambda it: it.acting_as(None),
    "Ledger.event": lambda it: it.event(1),
    "Ledger.history": lambda it: it.history(0),
    "Ledger.last_event": lambda it: it.last_event(0),
    "Ledger.standing": lambda it: it.standing(0),
    "Ledger.progress": lambda it: it.progress(np.array([0])),
    "Ledger.pace": lambda it: it.pace("ann"),
    "Ledger.agreement": lambda it: it.agreement(10),
    "Ledger.errors_left": lambda it: it.errors_left(np.array([0, 1])),
    "Ledger.advice": lambda it: it.advice(np.array([0, 1])),
    "Ledger.who": lambda it: it.who("ann"),
    "Ledger.decide": lambda it: it.decide([0], "keep", annotator="ann"),
    "Ledger.note": lambda it: it.note([0], "why", annotator="ann"),
    "Ledger.undo": lambda it: it.undo("ann"),
    "Ledger.sent_by_filter": lambda it: it.sent_by_filter("u", "keep", annotator="ann", seen={}),
    "Ledger.adjudicate": lambda it: it.adjudicate(0, "keep", annotator="ann"),
    "Ledger.guideline_use": lambda it: it.guideline_use(np.array([0])),
    "Ledger.guideline_news": lambda it: it.guideline_news("ann"),
    "Ledger.set_guidelines": lambda it: it.set_guidelines("what is *meant* counts", annotator="ann"),
    "Ledger.set_rules": lambda it: it.set_rules(ReviewRules(), annotator="ann"),
    "ReviewQueue.show": lambda it: it.show(0),
    "ReviewQueue.is_random": lambda it: it.is_random(0),
    "ReviewQueue.decide": lambda it: it.decide("keep"),
}

# How what a verb belongs to is had from the workspace.
OWNERS: dict[str, Callable[[Workspace], Any]] = {
    "Workspace": lambda it: it,
    "Dataset": lambda it: it.datasets()[0],
    "Run": lambda it: it.run("a run"),
    "Dynamics": lambda it: it.run("a run").dynamics,
    "Audit": lambda it: it.run("a run").audit,
    "Review": lambda it: it.run("a run").review,
    "Maps": lambda it: it.run("a run").maps,
    "Pruning": lambda it: it.run("a run").pruning,
    "RunPlan": lambda it: it.run("a run").pruning.plan(_DECISIONS),
    "Proofs": lambda it: it.run("a run").proofs,
    "Proof": lambda it: it.proofs()[0],
    "Export": lambda it: it.exports()[0],
    "Bin": lambda it: it.bin,
    "Ledger": lambda it: it.datasets()[0].ledger,
    "ReviewQueue": lambda it: it.datasets()[0].queue(np.array([0, 1, 2]), "ann"),
}


def public_verbs() -> set[str]:
    """``Class.verb`` of all that the classes offer, inherited verbs included."""
    return {
        f"{kind.__name__}.{name}"
        for kind in CLASSES
        for base in kind.__mro__
        if base.__module__.startswith("diet_explorer.")
        for name, member in vars(base).items()
        if not name.startswith("_") and (callable(member) or isinstance(member, _MEMBERS))
    }


_MEMBERS = (property, cached_property, classmethod, staticmethod)


def least_roles() -> dict[str, Role]:
    """``Class.verb`` to the least role, as the table has it."""
    return {
        f"{kind}.{verb}": role
        for kind, roles in TABLE.items()
        for role, verbs in roles.items()
        for verb in verbs.split()
    }


def try_verb(workspace: Workspace, verb: str) -> Any:
    """Call a verb for whom the workspace acts."""
    kind, _, name = verb.partition(".")
    owner = OWNERS[kind](workspace)
    if verb in CALLS:
        return CALLS[verb](owner)
    value = getattr(owner, name)
    return value() if inspect.ismethod(value) else value


def as_markdown() -> str:
    """The table for the documentation: a line per verb, a column per role."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "| verb | nobody | viewer | annotator | lead |"
    yield "|---|---|---|---|---|"
    for kind, roles in TABLE.items():
        for role, verbs in roles.items():
            marks = " | ".join("yes" if ROLES.index(other) >= ROLES.index(role) else "–" for other in ROLES)
            names = ", ".join(f"`{verb}`" for verb in verbs.split())
            yield f"| **{kind}**: {names} | {marks} |"
