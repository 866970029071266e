"""A tiny random BERT, a small set of sentences, and real worker processes for the tests of jobs."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from diet_explorer.cli import app as cli
from diet_explorer.config import load_settings
from diet_explorer.scoring.progress import RunReports
from diet_explorer.store.database import open_database
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace
from tests.waiting import until

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
GOOD = ["bright", "lovely", "warm", "funny", "gripping", "honest"]
BAD = ["dull", "cold", "slow", "empty", "noisy", "false"]
NEUTRAL = ["film", "story", "actor", "scene", "music", "ending", "and", "the", "a", "with"]
SHORT = {"epochs": 2, "checkpoints": (0, 1, 2), "batch_size": 16, "max_length": 16, "grand": "all"}
LONG = {"epochs": 4, "checkpoints": (0, 1, 2, 4), "batch_size": 4, "max_length": 16, "grand": "head"}
MID_EPOCH = 20
"""So many steps into a `LONG` run of sixty sentences its first epoch, of fifteen steps, has landed, not the second."""


def save_tiny_model(folder: Path) -> Path:
    """Save a random two-layer BERT of width 16 with a WordPiece tokenizer over the sentences' words."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *GOOD, *BAD, *NEUTRAL])}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def save_sentences(path: Path, rows: int = 60) -> Path:
    """Write a CSV of short sentences about films, a tenth of the labels wrong."""
    chance = random.Random(0)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["key", "sentence", "mood"])
        for number in range(rows):
            good = number % 2 == 0
            words = chance.choices(GOOD if good else BAD, k=chance.randint(2, 5)) + chance.choices(NEUTRAL, k=4)
            chance.shuffle(words)
            label = good if chance.random() > 0.1 else not good
            writer.writerow([f"s{number:03d}", f"{' '.join(words)} {number}", "good" if label else "bad"])
    return path


def start(*arguments: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start a command of the program, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "diet_explorer.cli", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_hear_interrupts,
    )


def _hear_interrupts() -> None:
    """A shell that runs the tests in the background has its children ignore Ctrl-C; these shall not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def command(*arguments: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the program to its end."""
    return subprocess.run(
        [sys.executable, "-m", "diet_explorer.cli", *arguments],
        env=environment(home, **variables),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def inside(*arguments: str, home: Path | str) -> subprocess.CompletedProcess[str]:
    """Run a short command in this process, which saves the seconds that imports take."""
    printed, errors = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["diet-explorer", *arguments]),
        mock.patch.dict(os.environ, {"DIET_EXPLORER_HOME": str(home)}),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(errors),
    ):
        try:
            cli.main()
        except SystemExit as ended:
            status = int(ended.code or 0)
    if status == 0 and "--json" in arguments and "-" not in arguments:
        check_json(arguments, printed.getvalue())
    return subprocess.CompletedProcess(arguments, status, printed.getvalue(), errors.getvalue())


def check_json(arguments: Sequence[str], printed: str) -> None:
    """Hold what a command printed with ``--json`` against its published schema."""
    from jsonschema import Draft202012Validator, FormatChecker

    from diet_explorer.cli.schemas import FORMS, schema_of

    verb = next(verb for verb in (" ".join(arguments[:2]), arguments[0]) if verb in FORMS)
    answer = json.loads(printed, parse_constant=_is_not_json)
    Draft202012Validator(schema_of(verb), format_checker=FormatChecker()).validate(answer)


def _is_not_json(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def environment(home: Path, **variables: str) -> dict[str, str]:
    """The environment of a command; one thread, so that tests do not fight for cores."""
    return {**os.environ, "DIET_EXPLORER_HOME": str(home), "OMP_NUM_THREADS": "1", **variables}


def ended(run: Run, seconds: float = 300) -> str:
    """The status of a run, once it has ended."""
    until(lambda: run.refresh().status not in ("queued", "running"), f"{run.id} ended", seconds)
    return run.status


def score_bytes(run: Run) -> dict[str, str]:
    """Every score file of a run, by its place in the run's folder, with the SHA-256 of its bytes."""
    files, folder = run.store.files, f"{run_folder(run)}/scores"
    names = sorted(name for name in files.all_below(folder) if name.endswith(".parquet"))
    return {name: hashlib.sha256(files.read_bytes(f"{folder}/{name}")).hexdigest() for name in names}


def run_folder(run: Run) -> str:
    """Where a run's files lie."""
    return run.store.files.path("runs", run.id)


def is_alive(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be reaped."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False


def reports_in(folder: Path, run_id: str) -> RunReports:
    """Where a run without a workspace says how far it is: a database in a folder."""
    return RunReports(open_database(load_settings(home=str(folder))), run_id)


def queue(workspace: Workspace, dataset_id: str, model: Path, settings: dict[str, Any], **more: Any) -> Run:
    """Queue a run of the tiny model."""
    return workspace.score(dataset_id, model=str(model), **{**settings, **more})
