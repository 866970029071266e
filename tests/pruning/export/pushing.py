"""Small exports to push, and pushes in processes of their own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
SCRIPT = """
import json, sys, contextlib
from pathlib import Path
from diet_explorer.errors import DietExplorerError
from diet_explorer.pruning.export.card_text import CardProof
from diet_explorer.pruning.export.hub import HubPush

results = []
for wanted in json.loads(sys.stdin.read()):
    told = []
    push = HubPush(Path(wanted["folder"]), wanted["repo"], private=wanted["private"], token=wanted["token"],
        proof=CardProof(), report=lambda words, sent, total: told.append(words), committing=contextlib.nullcontext())
    try:
        pushed = push.run()
        results.append({"commit": pushed.commit, "url": pushed.url, "private": pushed.private, "told": told})
    except DietExplorerError as error:
        results.append({"error": type(error).__name__, "message": error.message, "remedy": error.remedy, "told": told})
print("RESULT" + json.dumps(results))
"""
LOAD = """
import json, sys
from datasets import load_dataset
found = []
for arguments in json.loads(sys.stdin.read()):
    loaded = load_dataset(*arguments)
    found.append({"rows": {split: data.to_list() for split, data in loaded.items()},
        "features": next(iter(loaded.values())).features.to_dict()})
print("RESULT" + json.dumps(found))
"""


def write_export(folder: Path, files: Mapping[str, tuple[str | None, bytes]], **changes: Any) -> dict[str, Any]:
    """A finished export: the files (path to split and content) and a manifest that names them."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for path, (split, content) in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        listed.append({"path": path, "split": split, "rows": 1, "bytes": len(content), "sha256": sha256})
    manifest: dict[str, Any] = {
        "format_version": 1,
        "program": {"name": "diet-explorer", "version": "0.1"},
        "libraries": {"torch": "2.13.0"},
        "command": "diet-explorer prune last --policy window --drop-hardest 25 --output DIR",
        "replay": "diet-explorer prune --from-manifest manifest.json --output DIR",
        "dataset": {
            "id": "d",
            "name": "Reviews",
            "content_hash": "c0ffee",
            "source": {"kind": "csv", "sha256": "ab12"},
        },
        "run": {"id": "r", "model": "bundled", "model_sha256": "77aa", "seeds": [0, 1], "checkpoints": [0.0, 1.0]},
        "scores": {"name": "el2n", "title": "EL2N", "checkpoint": 1.0, "seed": None, "sha256": "5c"},
        "policy": {"kind": "window"},
        "policy_words": "The hardest 25 % by EL2N are dropped.",
        "decisions": {"used": True, "position": 9, "sha256": "dd", "counts": {"keep": 0, "relabel": 1, "exclude": 3}},
        "options": {"format": "parquet", "all_rows": False, "neutralise_formulas": False},
        "counts": [
            {"split": "train", "label": "neg", "before": 600, "kept": 450, "dropped": 150},
            {"split": "train", "label": "pos|itive", "before": 400, "kept": 300, "dropped": 100},
            {"split": "test", "label": "neg", "before": 50, "kept": 50, "dropped": 0},
        ],
        "reasons": {"too hard": 250, "kept": 750},
        "relabelled": 1,
        "files": listed,
        "columns": [{"name": "text", "type": "string", "role": "text", "nulls": False}],
        "features": {"text": {"dtype": "string", "_type": "Value"}},
        "result_sha256": "e5",
        **changes,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return manifest


def hub_environment(endpoint: str, folder: Path, **more: str) -> dict[str, str]:
    """The environment of a process whose Hub is at `endpoint` and whose own login (none) and cache are in `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    quiet = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return {**kept, "HF_ENDPOINT": endpoint, "HF_HOME": str(folder), "PYTHONPATH": str(ROOT), **quiet, **more}


def push_all(environment: dict[str, str], wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One push after the other in one process: folder, repo, private and token of each."""
    found: list[dict[str, Any]] = _run(SCRIPT, environment, json.dumps(wanted))
    return found


def load_from_hub(environment: dict[str, str], wanted: list[list[str]]) -> list[dict[str, Any]]:
    """What `datasets.load_dataset` gives for the name, or name and configuration, of each: rows by split, features."""
    found: list[dict[str, Any]] = _run(LOAD, environment, json.dumps(wanted))
    return found


def _run(script: str, environment: dict[str, str], request: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        input=request,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert lines, done.stderr
    return json.loads(lines[0].removeprefix("RESULT"))
