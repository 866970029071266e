"""Training scripts of somebody's own, in this process: a tiny model, a small set of sentences, a Trainer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from diet_explorer import ScoreRecorder, Workspace
from diet_explorer.workspace.dataset import Dataset
from diet_explorer.workspace.run import Run
from tests.tiny_runs import save_sentences

BATCH = 8
STEPS = 6
"""Steps of an epoch: 48 sentences in batches of eight."""


@dataclass(frozen=True)
class Script:
    """What the scripts of a test module share."""

    workspace: Workspace
    dataset: Dataset
    model_path: Path
    folder: Path

    @classmethod
    def make(cls, folder: Path, model_path: Path) -> Script:
        workspace = Workspace(folder / "workspace")
        path = save_sentences(folder / "s.csv", STEPS * BATCH)
        return cls(
            workspace, workspace.import_dataset(path, text="sentence", label="mood", id="key"), model_path, folder
        )

    @property
    def tokenizer(self) -> Any:
        return AutoTokenizer.from_pretrained(self.model_path)

    def model(self, **settings: Any) -> Any:
        set_seed(3)
        return AutoModelForSequenceClassification.from_pretrained(self.model_path, **{"num_labels": 2, **settings})

    def examples(self) -> list[dict[str, Any]]:
        frame, tokenizer = self.dataset.examples(), self.tokenizer
        return [
            {**tokenizer(text, truncation=True, max_length=16), "labels": self.dataset.classes.index(label)}
            for text, label in zip(frame["text"], frame["label"], strict=True)
        ]

    def recorder(self, name: str = "script", **settings: Any) -> ScoreRecorder:
        return ScoreRecorder(self.workspace, self.dataset, name=name, **{"max_length": 16, "grand": "head", **settings})

    def trainer(
        self,
        callbacks: Sequence[TrainerCallback] = (),
        *,
        model: Any = None,
        data: Any = None,
        kind: type[Trainer] = Trainer,
        collator: Any = None,
        tokenizer: Any = "its own",
        evaluation: Any = None,
        **arguments: Any,
    ) -> Trainer:
        """Dropout on, shuffled batches, the library's own collator."""
        settings: dict[str, Any] = {
            "output_dir": str(self.folder / "out"),
            "num_train_epochs": 1,
            "per_device_train_batch_size": BATCH,
            "learning_rate": 1e-3,
            "seed": 3,
            "save_strategy": "no",
            "logging_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
            "use_cpu": True,
        }
        own = self.tokenizer
        set_seed(3)
        return kind(
            model=self.model() if model is None else model,
            args=TrainingArguments(**{**settings, **arguments}),
            train_dataset=self.examples() if data is None else data,
            eval_dataset=evaluation,
            data_collator=collator or DataCollatorWithPadding(own),
            processing_class=own if tokenizer == "its own" else tokenizer,
            callbacks=list(callbacks),
        )

    def run(self, recorder: ScoreRecorder) -> Run:
        assert recorder.run_id is not None
        return self.workspace.run(recorder.run_id)

    def record(
        self, *, resume: Any = None, name: str = "script", recording: dict[str, Any] | None = None, **training: Any
    ) -> Run:
        """Train with a recorder to the end."""
        recorder = self.recorder(name, **(recording or {}))
        more = list(training.pop("callbacks", ()))
        self.trainer([recorder, *more], **training).train(resume_from_checkpoint=resume)
        return self.run(recorder)


def steps_of(run: Run) -> dict[float, int]:
    """Checkpoint to the optimisation step after which it was taken."""
    return {line["checkpoint"]: line["step"] for line in run.log() if line["event"] == "checkpoint"}


def same_weights(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    """Whether two models are the same bit for bit."""
    other = second.state_dict()
    return all(torch.equal(values, other[name]) for name, values in first.state_dict().items())
