"""The whole job against a plain script that does the same: seconds and their ratio, measured in one run.

Plain: `transformers.Trainer` with random batches padded to the max length, and GraNd by one backward pass per example
at the same checkpoints. Ours: what the background job does, score files and rankings included.

    python -m tests.benchmarks.whole_job [--rows 256] [--max-length 128]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor
from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

from diet_explorer import Workspace
from diet_explorer.scoring.progress import RunReports
from diet_explorer.scoring.seed_run import run_seed
from diet_explorer.training.backbone import load_classifier, load_tokenizer
from diet_explorer.training.config import RunConfig
from diet_explorer.training.models import locate_model


def per_example_norms(model: torch.nn.Module, rows: list[dict[str, Tensor]]) -> Tensor:
    """GraNd as public code has it: a backward pass per example."""
    model.eval()
    norms = []
    for row in rows:
        model.zero_grad()
        model(**{name: values[None] for name, values in row.items()}).loss.backward()
        norms.append(torch.sqrt(sum(p.grad.square().sum() for p in model.parameters() if p.grad is not None)))
    model.zero_grad()
    model.train()
    return torch.stack(norms)


class PlainScores(TrainerCallback):
    """Scores at the same steps as ours."""

    def __init__(self, rows: list[dict[str, Tensor]], steps: set[int]) -> None:
        self.rows, self.steps, self.found = rows, steps, {}

    def at_step(self, state, model) -> None:
        if state.global_step in self.steps:
            self.found[state.global_step] = per_example_norms(model, self.rows)

    def on_train_begin(self, args, state, control, model=None, **_):
        self.at_step(state, model)

    def on_step_end(self, args, state, control, model=None, **_):
        self.at_step(state, model)


def plain(config: RunConfig, frame, classes: list[str], folder: str) -> float:
    started = time.perf_counter()
    source = locate_model("bundled")
    tokenizer = load_tokenizer(source)
    set_seed(0)
    model = load_classifier(source, classes, 0, tokenizer.pad_token_id)
    encoded = tokenizer(
        frame["text"].tolist(), padding="max_length", truncation=True, max_length=config.max_length, return_tensors="pt"
    )
    labels = torch.tensor([classes.index(name) for name in frame["label"]])
    rows = [{**{name: values[i] for name, values in encoded.items()}, "labels": labels[i]} for i in range(len(frame))]
    train = [row for row, split in zip(rows, frame["split"], strict=True) if split == "train"]
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=folder,
            num_train_epochs=config.epochs,
            per_device_train_batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        ),
        train_dataset=train,
        callbacks=[PlainScores(rows, set(config.checkpoint_steps(len(train))))],
    )
    trainer.train()
    return time.perf_counter() - started


def ours(workspace: Workspace, config: RunConfig, dataset, folder: Path, name: str) -> float:
    started = time.perf_counter()
    reports = RunReports(workspace.context.database, name)
    run_seed(workspace.context.files, folder, reports, config, dataset.manifest, 0, should_stop=lambda: False)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--max-length", type=int, default=128)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        workspace = Workspace(home / "workspace")
        whole = workspace.import_sample().examples().head(options.rows)
        whole[["id", "text", "label", "split"]].to_csv(home / "part.csv", index=False)
        dataset = workspace.import_dataset(home / "part.csv", text="text", label="label", id="id", split="split")
        config = RunConfig(dataset.id, max_length=options.max_length).validated()
        print(f"{options.rows} snippets, {torch.get_num_threads()} threads, 3 epochs, checkpoints {config.checkpoints}")
        slow = plain(config, dataset.examples(), dataset.classes, str(home / "plain"))
        fast = ours(workspace, config, dataset, home / "scratch", "benchmark")
        print(f"plain script {slow:8.1f} s\nthis job     {fast:8.1f} s\nratio        {slow / fast:8.1f} x faster")


if __name__ == "__main__":
    main()
