"""What each command prints with ``--json``, as JSON Schemas made from the types that the values have.

Values that the library gives are described by their own classes, so that they cannot differ; what a command adds stands
here. Tests hold every command's output against its schema, which allows nothing else. Imported when a schema is asked
for, since it loads all of these classes.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any, Literal, NotRequired, Union, get_type_hints

from pydantic import ConfigDict, TypeAdapter
from typing_extensions import TypedDict

from diet_explorer.analysis.comparison import ComparisonSummary
from diet_explorer.analysis.stability import ScoreWarning
from diet_explorer.analysis.suspects.calibration import Expected
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.jobs.kinds.map import MapProgress
from diet_explorer.jobs.kinds.push import PushProgress
from diet_explorer.jobs.progress import JobProgress
from diet_explorer.pruning.export.request import ExportOptions
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.preview import Cut, NoiseEstimate
from diet_explorer.review.agreement import Agreement
from diet_explorer.review.elsewhere.report import TakenBack
from diet_explorer.review.guidelines import Guidelines
from diet_explorer.review.ledger_files import ImportCount
from diet_explorer.review.progress import ReviewProgress
from diet_explorer.review.rules import ReviewRules
from diet_explorer.scoring.progress import RunProgress
from diet_explorer.store.audit_log import AuditEntry
from diet_explorer.store.delay import Delay
from diet_explorer.store.workers import WorkerInfo
from diet_explorer.training.config import RunConfig
from diet_explorer.training.cost import CostEstimate
from diet_explorer.workspace.backup import BackupResult
from diet_explorer.workspace.bin.bin import Deletion
from diet_explorer.workspace.bin.leftover import Leftover
from diet_explorer.workspace.elsewhere import Sent
from diet_explorer.workspace.upgrade import UpgradePlan

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TYPED: Any = TypedDict  # made of what is computed here, which no checker of types can follow
Figure = float | None  # what is not known is null


def _form(name: str, /, *parts: Any, also: Any = None, **added: Any) -> Any:
    """An object with the fields of classes and other objects, and some more; `also` is the type of any others."""
    hints: dict[str, Any] = {}
    for part in parts:
        hints |= _hints(part)
    form = _TYPED(name, {**hints, **added})
    others: Any = {} if also is None else {"additionalProperties": TypeAdapter(also).json_schema()}
    extra: Literal["forbid", "allow"] = "forbid" if also is None else "allow"
    form.__pydantic_config__ = ConfigDict(extra=extra, json_schema_extra=others)
    return form


def _many(form: Any) -> Any:
    return list[form]


def _either(*forms: Any) -> Any:
    return Union[forms]  # noqa: UP007  the forms are no names


def _hints(part: Any) -> dict[str, Any]:
    hints = get_type_hints(part, include_extras=True)
    return {field.name: hints[field.name] for field in fields(part)} if is_dataclass(part) else hints


def _of(part: Any, names: str) -> dict[str, Any]:
    """Some fields of a class."""
    hints = _hints(part)
    return {name: hints[name] for name in names.split()}


RUN = _form(
    "Run",
    id=str,
    name=str,
    dataset=str,
    status=str,
    error=str | None,
    remedy=str | None,
    created_at=datetime,
    started_at=datetime | None,
    finished_at=datetime | None,
    config=RunConfig,
)
WORKER = _form(
    "Worker",
    **{name: hint for name, hint in _hints(WorkerInfo).items() if name not in ("token", "kind", "machine")},
    run_id=str | None,
    seconds_silent=float,
    alive=bool,
)
_JOB = "stage share seconds_left error remedy delay"
EXPORT = _form(
    "Export",
    id=str,
    run=str,
    folder=str,
    created_at=datetime,
    by=str | None,
    policy=Policy,
    decisions_at=int | None,
    options=ExportOptions,
    state=str,
    **_of(JobProgress, f"{_JOB} starts"),
)
EVENT = _form(
    "Event",
    id=int,
    uid=str,
    at=datetime,
    annotator=str,
    action=str,
    label=str | None,
    labels=NotRequired[list[str]],  # where each of `ids` got its own
    note=str | None,
    count=int,
    ids=list[str],  # the first thousand
    adjudicates=bool,
    undoes=int | None,
)
_PAIR = {"text_pair": NotRequired[str]}
RANKED = _form(
    "Ranked",
    rank=int,
    row=int,
    id=str,
    text=str,
    **_PAIR,
    label=str,
    predicted=str | None,
    split=str,
    trajectory=str | None,
    decided=str,
    flagged=bool,
    also=Figure,  # every score by its name
)
MOVED = _form(
    "Moved",
    row=int,
    id=str,
    text=str,
    **_PAIR,
    label=str,
    split=str,
    **dict.fromkeys(("here", "there", "percentile_here", "percentile_there", "moved"), Figure),
)
AGREEMENT = _form("OrderAgreement", first=str | float, second=str | float, spearman=Figure, also=Figure)
SUSPECT = _form(
    "Suspect",
    place=int,
    row=int,
    id=str,
    text=str,
    **_PAIR,
    label=str,
    suspicion=Figure,
    suggested=str | None,
    suggested_share=Figure,
    kind=str,
    reasons=list[str],
)
_CHANGE = {"kept": int, "dropped": int}
PREVIEW = _form(
    "Preview",
    policy=Policy,
    decisions_at=int | None,
    counts=_many(_form("ClassCount", split=str, label=str, before=int, **_CHANGE, moved_out=int, moved_in=int)),
    reasons=_many(_form("Reason", reason=str, rows=int)),
    histogram=_many(_form("Bin", left=float, right=float, **_CHANGE)),
    cuts=list[Cut],
    boundary=_many(_form("Near", end=str, side=str, row=int, id=str, text=str, **_PAIR, label=str, score=float)),
    decisions=_many(_form("Decided", state=str, **_CHANGE)),
    suspects=_many(_form("Worst", worst=float, **_CHANGE)),
    lengths=_form(
        "Lengths",
        summary=_many(_form("Length", figure=str, before=Figure, after=Figure)),
        histogram=_many(_form("LengthBin", left=float, right=float, before=Figure, after=Figure)),
    ),
    ignored_decisions=int,
    noise=NoiseEstimate | None,
)
_INTERVALS = ("accuracy", "macro_f1", "loss", "vs_random", "vs_full")
ARM = _form(
    "Arm",
    title=str,
    kind=str,
    policy=str | None,
    fraction=Figure,
    kept=int,
    share=Figure,
    seeds=int,
    **{f"{name}{end}": Figure for name in _INTERVALS for end in ("", "_low", "_high")},
    vs_random_decision=str | None,
    vs_full_decision=str | None,
    verdict=str | None,
)
PROOF = _form(
    "Proof",
    id=str,
    run=str,
    created_at=datetime,
    status=str,
    done=int,
    total=int,
    at_most=bool,
    seconds_left=Figure,
    delay=Delay | None,
    seeds=int,
    until_decided=Figure,
    comparisons=int,
    steps=int,
    evaluated_on=str,
    evaluated=int,
    arms=_many(ARM),
    trainings=_many(
        _form(
            "Training",
            arm=int | str,
            title=str,
            seed=int,
            run=str | None,
            status=str,
            error=str | None,
            remedy=str | None,
        )
    ),
)
PLAN = _form("DeletionPlan", Deletion, parts=list[str])
ENTRY = _form("BinEntry", kind=str, id=str, name=str, by=str, at=datetime, size=int, until=datetime)
_MODES = ("off", "head", "all")
_COST = _form("Cost", CostEstimate, seconds_total=float)
_FOUND = dict.fromkeys(("average_precision", "precision", "chance"), Figure)

FORMS: dict[str, Any] = {
    "app": _form("Opened", url=str, urls=list[str], warning=str | None),
    "worker": _form("Said", event=str),
    "import": DatasetManifest,
    "score": _either(
        _form("Scored", RUN, output=str | None), _form("Costs", **dict.fromkeys(_MODES, NotRequired[_COST]))
    ),
    "runs": _many(_form("ListedRun", RUN, size=int)),
    "status": _form(
        "Status",
        RUN,
        size=int,
        progress=RunProgress,
        workers=_many(WORKER),
        beside=_many(_form("Beside", JobProgress, title=str)),
        warnings=list[ScoreWarning],
    ),
    "workers": _many(WORKER),
    "cancel": RUN,
    "resume": RUN,
    "scores": _form("Written", run=str, output=str, scores=list[str], landed=dict[int, list[float]]),
    "rank": _form(
        "Ranking",
        run=str,
        by=str,
        checkpoint=float,
        seed=int | None,
        filter=dict[str, Any],
        count=int,
        warnings=list[ScoreWarning],
        examples=_many(RANKED),
    ),
    "stability": _form("Stability", run=str, by=str | None, agreement=_many(AGREEMENT)),
    "compare": _form(
        "Comparison",
        run=str,
        other=str,
        by=str,
        checkpoint=float,
        other_checkpoint=Figure,
        summary=ComparisonSummary,
        examples=_many(MOVED),
    ),
    "prune": _either(PREVIEW, _form("Pruned", EXPORT, kept=int, dropped=int), EXPORT),
    "exports": _either(_many(EXPORT), EXPORT),
    "suspects": _form(
        "Suspects",
        run=str,
        by=str,
        suspects=_many(SUSPECT),
        expected=_form("ExpectedErrors", errors=Expected, suggestions=Expected, words=str),
        missing_witnesses=_many(_form("Missing", name=str, remedy=str)),
    ),
    "folds": _form("Folds", RUN, progress=RunProgress),
    "noise-check": _form(
        "NoiseCheck",
        run=str,
        caution=str,
        witnesses=_many(_form("WitnessFound", witness=str, title=str, **_FOUND, also=Figure)),
    ),
    "push": _form(
        "Pushed",
        export=str,
        state=str,
        **_of(
            PushProgress,
            "repo private stage bytes_sent bytes_total url commit note error remedy kind finished_at",
        ),
    ),
    "prove": _either(PROOF, RUN),
    "proof": PROOF,
    "proofs": _many(PROOF),
    "decide": EVENT,
    "undo": EVENT,
    "agreement": Agreement,
    "send-to": _form("SentTo", Sent, run=str),
    "take-back": _form("Taken", TakenBack, run=str),
    "export-cartography": _form("WrittenFiles", run=str, written=list[str]),
    "import-cartography": RUN,
    "map": _form("Map", run=str, state=str, file=str | None, **_of(MapProgress, f"which {_JOB} parameters drawn")),
    "rename": _form("Renamed", id=str, name=str),
    "delete": _many(_either(PLAN, _form("Deleted", PLAN, ENTRY))),
    "restore": _either(_many(ENTRY), _form("Restored", workspace=str, datasets=int, runs=int)),
    "bin": _many(ENTRY),
    "clean": _form("Cleaned", removed=bool, size=int, leftovers=list[Leftover], cautions=list[str]),
    "backup": BackupResult,
    "move": _either(
        _TYPED("Moved", {"from": str, "to": str}),
        _form("MovedBack", home=str),
    ),
    "upgrade": _either(UpgradePlan, _form("OwnId", home=str, id=str)),
    "audit-log": list[AuditEntry],
    "decisions list": _form("Decisions", dataset=str, counts=dict[str, int], conflicts=int, events=_many(EVENT)),
    "decisions export": _form("ExportedEvents", dataset=str, events=int, output=str),
    "decisions import": _form("ImportedEvents", ImportCount, dataset=str),
    "decisions rules": ReviewRules,
    "decisions notes": _form("Notes", dataset=str, notes=_many(EVENT)),
    "decisions progress": _form("Progress", ReviewProgress, dataset=str),
    "decisions guidelines": _form("EveryGuidelines", dataset=str, guidelines=list[Guidelines]),
}
"""What each command prints, by its name."""


def schema_of(verb: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what a command prints with ``--json``."""
    schema = TypeAdapter(FORMS[verb]).json_schema(mode="serialization")
    _close(schema)
    return {
        "$schema": _DIALECT,
        "title": f"diet-explorer {verb} --json",
        **{name: value for name, value in schema.items() if name != "title"},
    }


def _close(part: Any) -> None:
    """Let objects have only what is described, and leave out what pydantic adds for people who write them."""
    if isinstance(part, list):
        for entry in part:
            _close(entry)
    if isinstance(part, dict):
        if part.get("type") == "object" and "properties" in part:
            part.setdefault("additionalProperties", False)
            part.pop("description", None)  # of a class, in its own words
            for entry in part["properties"].values():
                entry.pop("title", None)
                entry.pop("default", None)
        for entry in part.values():
            _close(entry)
