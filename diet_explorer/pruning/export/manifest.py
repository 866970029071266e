"""`manifest.json` of an export: all that decided its bytes, and their hashes.

It holds no time and no path, so that an export made again from it is the same to the last byte.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from diet_explorer import __version__
from diet_explorer.config import load_settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.pruning.export.request import ExportRequest
from diet_explorer.pruning.plan import Plan
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.selection import REASONS
from diet_explorer.review.guidelines import GuidelineUse
from diet_explorer.scoring import catalogue
from diet_explorer.store.decisions import DECISION_STATES
from diet_explorer.store.files import Files, file_sha256
from diet_explorer.store.layout import MANIFEST_NAME
from diet_explorer.store.ranking_files import RankingFile
from diet_explorer.store.runs import RunRecord
from diet_explorer.store.scores import ScoreFiles
from diet_explorer.training.models import BUNDLED_SHA256

FORMAT_VERSION = 1
_LIBRARIES = ("pyarrow", "numpy", "duckdb", "datasets", "torch", "transformers")
_WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class ExportedFile:
    """One file of an export; `split` is None for what is no data."""

    path: str
    split: str | None
    rows: int | None
    bytes: int
    sha256: str


def read_manifest(path: str | Path) -> dict[str, Any]:
    """The manifest of an export, from its file or from the folder that has it.

    Raises
    ------
    NotFoundError
        There is none.
    BadInputError
        It is damaged, or a newer version of the program wrote it.
    """
    path = Path(path)
    path = path / MANIFEST_NAME if path.is_dir() else path
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
        written = int(value["format_version"])
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no manifest {path}.", "Give the manifest.json of a finished export.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{path} is not the manifest of an export.", "Give an export's manifest.json.") from error
    if written > FORMAT_VERSION:
        raise BadInputError(
            f"{path} has format version {written}, newer than {FORMAT_VERSION}.", "Upgrade diet-explorer."
        )
    return value


def manifest_bytes(manifest: dict[str, Any]) -> bytes:
    """How a manifest is written."""
    return (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()


def plan_facts(files: Files, run: RunRecord, plan: Plan, request: ExportRequest) -> dict[str, Any]:
    """The part of a manifest that says what an export was made from, and how it is made again."""
    return {
        "format_version": FORMAT_VERSION,
        "program": {"name": "diet-explorer", "version": __version__},
        "libraries": library_versions(),
        "command": prune_command(request),
        "replay": f"diet-explorer prune --from-manifest {MANIFEST_NAME} --output DIR",
        "dataset": dataset_facts(plan.manifest),
        "run": run_facts(run, _seeds(files, request)),
        "scores": score_facts(request, plan.ranking),
        "policy": plan.policy.to_json(),
        "policy_words": plan.policy.describe(),
        "decisions": decision_facts(plan),
        "options": asdict(request.options),
    }


def row_facts(plan: Plan) -> dict[str, Any]:
    """The part of a manifest that counts rows."""
    reasons = np.bincount(plan.selection.reasons, minlength=len(REASONS))
    relabelled = plan.selection.keep & (plan.selection.labels != plan.material.labels)
    return {
        "counts": plan.counts().to_dict("records"),
        "reasons": {words: int(reasons[code]) for code, words in enumerate(REASONS) if reasons[code]},
        "relabelled": int(np.count_nonzero(relabelled)),
    }


def dataset_facts(manifest: DatasetManifest) -> dict[str, Any]:
    """What an export says of its source; where the source lay is left out, since paths name people and machines."""
    return {
        "id": manifest.id,
        "name": manifest.name,
        "content_hash": manifest.content_hash,
        "rows": manifest.rows,
        "classes": manifest.classes,
        "label_type": manifest.label_type,
        "source": {key: value for key, value in manifest.source.items() if key in ("kind", "sha256")},
        "mapping": asdict(manifest.mapping),
        "set_aside": sum(manifest.report.get("set_aside", {}).values()),
        **({"votes": votes} if (votes := manifest.report.get("votes")) else {}),
    }


def library_versions() -> dict[str, str]:
    """Versions of what reads, scores and writes."""
    return {"python": platform.python_version()} | {name: version(name) for name in _LIBRARIES}


def model_sha256(model: str) -> str | None:
    """SHA-256 of a model's weights: those of the bundled one, of a local folder, or of the Hub's local copy.

    None where the weights are not on this machine, or are no safetensors.
    """
    if model == "bundled":
        stand_in = load_settings().bundled_model
        if stand_in is None:
            return BUNDLED_SHA256
        model = stand_in
    path = Path(model) / _WEIGHTS
    if not path.is_file() and not Path(model).exists():
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError

        try:
            cached = try_to_load_from_cache(model, _WEIGHTS)
        except HFValidationError:  # the name of something else than a model, such as imported training dynamics
            return None
        path = Path(cached) if isinstance(cached, str) else path
    return file_sha256(path) if path.is_file() else None


def run_facts(run: RunRecord, seeds: Sequence[int]) -> dict[str, Any]:
    """What an export says of the run; a model in a local folder is named without the way to it."""
    model = str(run.config["model"])
    own = model if not Path(model).is_absolute() else Path(model).name
    return {
        "id": run.id,
        "name": run.name,
        "origin": run.origin,
        "model": own,
        "model_sha256": model_sha256(model),
        "seeds": list(seeds),
        "checkpoints": list(run.config["checkpoints"]),
        "config": {**run.config, "model": own},
    }


def score_facts(request: ExportRequest, ranking: RankingFile | None) -> dict[str, Any]:
    """Which scores an export hangs on, and the hash of their values; `name` is None where its policy needs none."""
    policy = request.policy
    entry = catalogue.score(policy.score) if policy.needs_scores else None
    names = [] if entry is None else [entry.name]
    if request.options.all_rows and ranking is not None:
        names = ranking.scores
    return {
        "name": None if entry is None else entry.name,
        "title": None if entry is None else entry.title,
        "checkpoint": request.checkpoint,
        "seed": policy.run_seed,
        "names": names,
        "sha256": None if ranking is None or not names else scores_sha256(ranking, names),
    }


def scores_sha256(ranking: RankingFile, names: Iterable[str]) -> str:
    """SHA-256 of some scores of a ranking, and of the rows that have them."""
    digest = hashlib.sha256(ranking.rows.data)
    for name in names:
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(ranking.column(name)).data)
    return digest.hexdigest()


def decision_facts(plan: Plan) -> dict[str, Any]:
    """Which decisions an export rests on: the ledger's position, and what held for the training split there."""
    material = plan.material
    states = np.where(material.train, material.states, 0)
    decided = np.flatnonzero(states)
    digest = hashlib.sha256(decided.astype("<i4").tobytes())
    digest.update(states[decided].astype("<i1").tobytes())
    digest.update(material.new_labels[decided].astype("<i4").tobytes())
    counts = np.bincount(states, minlength=len(DECISION_STATES))
    return {
        "used": plan.policy.use_decisions,
        "position": plan.decisions_at,
        "sha256": digest.hexdigest(),
        "counts": {state: int(counts[code]) for code, state in enumerate(DECISION_STATES) if code},
        **({} if plan.guidelines is None else {"guidelines": guideline_facts(plan.guidelines)}),
    }


def guideline_facts(use: GuidelineUse) -> dict[str, Any]:
    """Which guidelines were in force, and how many examples were decided by which version; who wrote them stays out."""
    return {
        "version": use.latest.version,
        "uid": use.latest.uid,
        "written_at": use.latest.at.isoformat(),
        "sha256": hashlib.sha256(use.latest.text.encode()).hexdigest(),
        "examples": [{"version": version, "examples": count} for version, count in use.examples.items()],
    }


def prune_command(request: ExportRequest) -> str:
    """The command line that makes the export again in the same workspace; the output folder is the user's choice."""
    policy, options = request.policy, request.options
    words = ["diet-explorer", "prune", request.run_id, "--policy", policy.kind]
    for name, default in Policy.__dataclass_fields__.items():
        value = getattr(policy, name)
        if name in ("kind", "use_decisions", "deduplicate") or value is None or value == default.default:
            continue
        words += [f"--{name.replace('_', '-')}", str(value).removesuffix(".0")]
    words += [] if policy.use_decisions else ["--no-decisions"]
    words += ["--deduplicate"] if policy.deduplicate else []
    words += ["--decisions-at", str(request.decisions_at), "--format", options.format]
    words += ["--all-rows"] if options.all_rows else []
    words += ["--neutralise-formulas"] if options.neutralise_formulas else []
    return f"{shlex.join(words)} --output DIR"


def result_sha256(files: Iterable[ExportedFile]) -> str:
    """SHA-256 over the names and hashes of an export's files."""
    lines = sorted(f"{entry.sha256}  {entry.path}\n" for entry in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def different_libraries(manifest: dict[str, Any]) -> str:
    """In words, which libraries have another version now than when a manifest was written; empty if none has."""
    now, then = library_versions(), manifest.get("libraries", {})
    changed = [f"{name} was {then[name]}, is {now[name]}" for name in now if then.get(name, now[name]) != now[name]]
    return "; ".join(changed)


def _seeds(files: Files, request: ExportRequest) -> list[int]:
    """Seeds of the run that the scores are of."""
    if request.checkpoint is None:
        return []
    seed = request.policy.run_seed
    return ScoreFiles(files, request.run_id).ranked_seeds(request.checkpoint) if seed is None else [seed]
