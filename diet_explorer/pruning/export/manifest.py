"""`manifest.json` of an export: all that decided its bytes, and their hashes.

It holds no time and no place, so that an export made again from it is the same to the last byte.
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
import pyarrow as pa

from diet_explorer.config import load_settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.pruning.export.formats import EXPORT_FORMATS, ExportFormat
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.selection import Material, Selection
from diet_explorer.scoring import catalogue
from diet_explorer.store.decisions import DECISION_STATES
from diet_explorer.store.files import file_sha256
from diet_explorer.store.runs import RunRecord
from diet_explorer.training.models import BUNDLED_SHA256

MANIFEST_NAME = "manifest.json"
FORMAT_VERSION = 1
_LIBRARIES = ("pyarrow", "numpy", "duckdb", "datasets", "torch", "transformers")
_WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class ExportOptions:
    """How rows are written.

    Attributes
    ----------
    format : {"csv", "jsonl", "parquet", "datasets"}
    all_rows : bool
        Dropped rows too, each with the columns ``keep``, ``reason``, ``original_label`` and its scores.
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
    place = Path(path)
    place = place / MANIFEST_NAME if place.is_dir() else place
    try:
        value: dict[str, Any] = json.loads(place.read_bytes())
        written = int(value["format_version"])
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no manifest {place}.", "Give the manifest.json of a finished export.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{place} is not the manifest of an export.", "Give an export's manifest.json.") from error
    if written > FORMAT_VERSION:
        raise BadInputError(
            f"{place} has format version {written}, newer than {FORMAT_VERSION}.", "Upgrade diet-explorer."
        )
    return value


def manifest_bytes(manifest: dict[str, Any]) -> bytes:
    """How a manifest is written."""
    return (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()


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
            found = try_to_load_from_cache(model, _WEIGHTS)
        except HFValidationError:  # the name of something else than a model, such as imported training dynamics
            return None
        path = Path(found) if isinstance(found, str) else path
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


def score_facts(
    policy: Policy, ranking: pa.RecordBatch | None, checkpoint: float | None, names: Sequence[str]
) -> dict[str, Any]:
    """Which scores an export hangs on, and the hash of their values; `name` is None where its policy needs none."""
    entry = catalogue.score(policy.score) if policy.needs_scores else None
    return {
        "name": None if entry is None else entry.name,
        "title": None if entry is None else entry.title,
        "checkpoint": checkpoint,
        "seed": policy.run_seed,
        "names": list(names),
        "sha256": None if ranking is None or not names else scores_sha256(ranking, names),
    }


def scores_sha256(ranking: pa.RecordBatch, names: Iterable[str]) -> str:
    """SHA-256 of some scores of a ranking, and of the rows that have them."""
    digest = hashlib.sha256(ranking["row"].to_numpy().tobytes())
    for name in names:
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(ranking[name].to_numpy(zero_copy_only=False)).tobytes())
    return digest.hexdigest()


def decision_facts(material: Material, position: int, used: bool) -> dict[str, Any]:
    """Which decisions an export rests on: the ledger's position, and what held for the training split there."""
    states = np.where(material.train, material.states, 0)
    decided = np.flatnonzero(states)
    digest = hashlib.sha256(decided.astype("<i4").tobytes())
    digest.update(states[decided].astype("<i1").tobytes())
    digest.update(material.new_labels[decided].astype("<i4").tobytes())
    counts = np.bincount(states, minlength=len(DECISION_STATES))
    return {
        "used": used,
        "position": position,
        "sha256": digest.hexdigest(),
        "counts": {state: int(counts[code]) for code, state in enumerate(DECISION_STATES) if code},
    }


def class_counts(
    material: Material, selection: Selection, splits: np.ndarray, split_names: Sequence[str], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Rows of each split and class before and after.

    Returns
    -------
    list of dict
        ``split, label, before, dropped, moved_out, moved_in, kept``: by their given labels, those that were there,
        those dropped, and kept ones relabelled to another class and from another class; `kept` is what remains.
    """
    width = len(classes)
    given = splits.astype(np.int64) * width + material.labels
    now = splits.astype(np.int64) * width + selection.labels
    moved = selection.keep & (given != now)
    total = len(split_names) * width
    columns = {
        "before": np.bincount(given, minlength=total),
        "dropped": np.bincount(given[~selection.keep], minlength=total),
        "moved_out": np.bincount(given[moved], minlength=total),
        "moved_in": np.bincount(now[moved], minlength=total),
        "kept": np.bincount(now[selection.keep], minlength=total),
    }
    return [
        {"split": split, "label": label} | {name: int(values[place * width + code]) for name, values in columns.items()}
        for place, split in enumerate(split_names)
        for code, label in enumerate(classes)
    ]


def prune_command(run_id: str, policy: Policy, position: int, options: ExportOptions) -> str:
    """The command line that makes the export again in the same workspace; the output folder is the user's choice."""
    words = ["diet-explorer", "prune", run_id, "--policy", policy.kind]
    for name, default in Policy.__dataclass_fields__.items():
        value = getattr(policy, name)
        if name in ("kind", "use_decisions", "deduplicate") or value is None or value == default.default:
            continue
        words += [f"--{name.replace('_', '-')}", str(value).removesuffix(".0")]
    words += [] if policy.use_decisions else ["--no-decisions"]
    words += ["--deduplicate"] if policy.deduplicate else []
    words += ["--decisions-at", str(position), "--format", options.format]
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
