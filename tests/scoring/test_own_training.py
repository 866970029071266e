"""`ScoreRecorder` in somebody's own Trainer script: same weights bit for bit, same scores, several processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)

from diet_explorer import ScoreRecorder, Workspace
from diet_explorer.data.example_order import ExampleOrder
from diet_explorer.errors import BadInputError, ModelError
from diet_explorer.scoring.own_labels import class_order, order_is_assumed, trained_classes
from diet_explorer.training.encoding import EncodedExamples
from tests.tiny_runs import inside, save_sentences


@pytest.fixture(scope="module")
def made(tmp_path_factory, model):
    folder = tmp_path_factory.mktemp("own")
    workspace = Workspace(folder / "workspace")
    dataset = workspace.import_dataset(save_sentences(folder / "s.csv", 48), text="sentence", label="mood", id="key")
    return workspace, dataset, model, folder


def train(made, *callbacks, names=None, epochs=2, processing=True, turned=False):
    """A user's script: dropout on, shuffled batches, the library's own collator."""
    _, dataset, path, folder = made
    tokenizer = AutoTokenizer.from_pretrained(path)
    set_seed(3)
    labels = (
        {} if names is None else {"id2label": dict(enumerate(names)), "label2id": {n: i for i, n in enumerate(names)}}
    )
    model = AutoModelForSequenceClassification.from_pretrained(path, num_labels=2, **labels)
    frame = dataset.examples()
    order = names or (dataset.classes[::-1] if turned else dataset.classes)
    rows = [
        {**tokenizer(text, truncation=True, max_length=16), "labels": order.index(label)}
        for text, label in zip(frame["text"], frame["label"], strict=True)
    ]
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(folder / "out"),
            num_train_epochs=epochs,
            per_device_train_batch_size=8,
            learning_rate=1e-3,
            seed=3,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        ),
        train_dataset=rows,
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer if processing else None,
        callbacks=list(callbacks),
    )
    trainer.train()
    return trainer


def test_weights_are_bit_identical_and_the_run_is_like_any_other(made):
    workspace, dataset, _, _ = made
    plain = train(made).model.state_dict()
    recorder = ScoreRecorder(workspace, dataset, name="my run", checkpoints=(0, 0.5, 1, 2), max_length=16)
    trainer = train(made, recorder)
    for name, values in trainer.model.state_dict().items():
        assert torch.equal(values, plain[name]), name
    assert trainer.model.training
    run = workspace.run(recorder.run_id)
    assert (run.name, run.status, run.record.origin) == ("my run", "succeeded", "callback")
    assert run.landed() == {0: [0.0, 0.5, 1.0, 2.0]}
    assert run.progress().share == 1.0
    assert any("scores took" in line["message"] for line in run.log())
    final = run.ranked(by="p_label", checkpoint=2, limit=None).set_index("row").sort_index()
    tokenizer = trainer.processing_class
    batch = tokenizer(
        dataset.examples()["text"].tolist(), padding=True, truncation=True, max_length=16, return_tensors="pt"
    )
    with torch.no_grad():
        shares = trainer.model.eval()(**batch).logits.softmax(-1).numpy()
    codes = dataset.examples()["label"].map(dataset.classes.index).to_numpy()
    np.testing.assert_allclose(final["p_label"], shares[np.arange(48), codes], rtol=1e-5)
    with pytest.raises(BadInputError, match="belongs to a training script") as caught:
        run.resume()
    assert "resume_from_checkpoint" in caught.value.remedy
    with pytest.raises(BadInputError, match="it has ended \\(succeeded\\)"):
        run.cancel()


def test_classes_are_matched_by_name(made):
    workspace, dataset, _, _ = made
    assert dataset.classes == ["bad", "good"]
    one = ScoreRecorder(workspace, dataset, checkpoints=(1,), max_length=16)
    train(made, one, names=["bad", "good"], epochs=1)
    other = ScoreRecorder(workspace.settings.home, dataset.id, checkpoints=(1,), max_length=16)
    trainer = train(made, other, names=["good", "bad"], epochs=1)
    frame = workspace.run(other.run_id).scores()
    tokenizer = trainer.processing_class
    batch = tokenizer(
        dataset.examples()["text"].tolist(), padding=True, truncation=True, max_length=16, return_tensors="pt"
    )
    with torch.no_grad():
        predicted = trainer.model.eval()(**batch).logits.argmax(-1)
    assert frame["predicted"].tolist() == [["good", "bad"][code] for code in predicted]
    given = frame["label"].to_numpy() == "good"
    with torch.no_grad():
        shares = trainer.model(**batch).logits.softmax(-1).numpy()
    np.testing.assert_allclose(frame["p_label"], np.where(given, shares[:, 0], shares[:, 1]), rtol=1e-5)


def _encoded(texts, labels):
    flat = np.array([token for tokens in texts for token in tokens], dtype=np.int32)
    offsets = np.cumsum([0, *map(len, texts)])
    order = ExampleOrder(np.arange(len(texts), dtype=np.int32), np.zeros(len(texts), dtype=np.int8), ("train",))
    return EncodedExamples({"input_ids": flat}, offsets, np.array(labels), order, 0)


TEXTS = [[1, 10 + number, 20 + number % 3, 30 + number, 2] for number in range(12)]
CODES = [number % 2 for number in range(12)]


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        (lambda number: {"input_ids": TEXTS[number], "labels": 1 - CODES[number]}, {0: "b", 1: "a"}),
        (lambda number: {"input_ids": TEXTS[number], "label": torch.tensor(CODES[number])}, {0: "a", 1: "b"}),
        (
            lambda number: {
                "input_ids": torch.tensor([*TEXTS[number], 0, 0]),
                "attention_mask": torch.tensor([1] * 5 + [0] * 2),
                "labels": 1 - CODES[number],
            },
            {0: "b", 1: "a"},
        ),
        (lambda number: {"input_ids": [*TEXTS[number][:3], 2], "labels": 1 - CODES[number]}, {0: "b", 1: "a"}),
        (
            lambda number: {"input_ids": [*TEXTS[number][:4], 7, 8, 2], "labels": 1 - CODES[number]},
            {0: "b", 1: "a"},
        ),
        (lambda number: {"input_ids": TEXTS[number], "labels": number % 3 % 2}, {}),
        (lambda number: {"input_ids": [50, 51], "labels": 1 - CODES[number]}, {}),
        (lambda number: {"input_ids": [], "labels": 0}, {}),
        (lambda number: {"text": "raw", "label": "a"}, {}),
        (lambda number: (TEXTS[number], CODES[number]), {}),
    ],
    ids=["turned", "same", "padded", "cut by the script", "cut by us", "mixed", "others", "empty", "raw", "tuples"],
)
def test_what_the_numbers_of_a_script_mean_is_seen_in_its_examples(example, expected):
    loader = SimpleNamespace(dataset=[example(number) for number in range(12)])
    assert trained_classes(SimpleNamespace(), loader, _encoded(TEXTS, CODES), ["a", "b"]) == expected


def test_a_script_that_numbers_the_classes_its_own_way_is_scored_rightly(made):
    workspace, dataset, _, _ = made
    recorder = ScoreRecorder(workspace, dataset, checkpoints=(1,), max_length=16, grand="off")
    trainer = train(made, recorder, turned=True, epochs=1)
    frame = workspace.run(recorder.run_id).scores()
    tokenizer = trainer.processing_class
    batch = tokenizer(dataset.examples()["text"].tolist(), padding=True, return_tensors="pt")
    with torch.no_grad():
        predicted = trainer.model.eval()(**batch).logits.argmax(-1)
    assert frame["predicted"].tolist() == [["good", "bad"][code] for code in predicted]


def test_class_order_refuses_what_does_not_fit():
    class Config:
        def __init__(self, *names: str) -> None:
            self.id2label = dict(enumerate(names))

    assert class_order(["a", "b"], Config("b", "a"), 2).tolist() == [1, 0]
    assert class_order(["a", "b"], Config("LABEL_0", "LABEL_1"), 2).tolist() == [0, 1]
    assert class_order(["a", "b", "c"], Config("LABEL_0", "LABEL_1"), 3).tolist() == [0, 1, 2]  # an encoder's config
    assert class_order(["a", "b"], None, 2).tolist() == [0, 1]
    assert class_order(["a", "b"], Config("LABEL_0", "LABEL_1"), 2, {0: "b", 1: "a"}).tolist() == [1, 0]
    assert class_order(["a", "b"], Config("b", "a"), 2, {0: "b", 1: "a"}).tolist() == [1, 0]
    assert class_order(["0", "1"], Config("LABEL_0", "LABEL_1"), 2, {0: "neg", 1: "pos"}).tolist() == [0, 1]
    assert class_order(["a", "b", "c"], None, 3, {1: "b"}).tolist() == [0, 1, 2]
    assert class_order(["0", "1"], Config("NEGATIVE", "POSITIVE"), 2).tolist() == [0, 1]
    assert class_order(["0", "1"], Config("1", "0"), 2).tolist() == [1, 0]
    with pytest.raises(ModelError, match="0 is 'b', not 'a'"):
        class_order(["a", "b", "c"], None, 3, {0: "b"})
    with pytest.raises(ModelError, match="number the classes otherwise"):
        class_order(["a", "b"], Config("a", "b"), 2, {0: "b", 1: "a"})
    with pytest.raises(ModelError, match="3 classes, the dataset 2"):
        class_order(["a", "b"], Config("a", "b", "c"), 3)
    with pytest.raises(ModelError, match=r"model's classes \(x, y\) are not the dataset's \(a, b\)"):
        class_order(["a", "b"], Config("x", "y"), 2)


@pytest.mark.parametrize(
    ("classes", "names", "trained", "expected"),
    [
        (["a", "b"], ["LABEL_0", "LABEL_1"], {}, True),
        (["a", "b"], ["LABEL_0", "LABEL_1"], {0: "b", 1: "a"}, False),
        (["a", "b"], ["b", "a"], {}, False),
        (["0", "1"], ["LABEL_0", "LABEL_1"], {}, False),
    ],
)
def test_an_order_that_nothing_tells_is_known_to_be_assumed(classes, names, trained, expected):
    config = SimpleNamespace(id2label=dict(enumerate(names)))
    assert order_is_assumed(classes, config, trained) is expected


def test_an_order_that_is_assumed_is_told(made, caplog):
    workspace, dataset, _, _ = made
    recorder = ScoreRecorder(workspace, dataset, checkpoints=(1,), max_length=16, grand="off")
    with mock.patch("diet_explorer.scoring.own_training.trained_classes", return_value={}):
        train(made, recorder, turned=True, epochs=1)
    assert "0 for 'bad', 1 for 'good' are taken" in caplog.text
    assert any("0 for 'bad'" in line["message"] for line in workspace.run(recorder.run_id).log())


def test_a_tokenizer_without_padding_is_told_before_the_training(made):
    workspace, dataset, model, _ = made
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.pad_token = None
    recorder = ScoreRecorder(workspace, dataset, tokenizer=tokenizer)
    with pytest.raises(BadInputError, match="no padding token") as caught:
        train(made, recorder)
    assert "tokenizer.pad_token" in caught.value.remedy and recorder.run_id is None


def test_a_trainer_without_tokenizer_is_told(made):
    workspace, dataset, _, _ = made
    with pytest.raises(BadInputError, match="has no tokenizer") as caught:
        train(made, ScoreRecorder(workspace, dataset), processing=False)
    assert "processing_class" in caught.value.remedy


SCRIPT = """
import os, sys
import torch
from transformers import (AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding, Trainer,
                          TrainerCallback, TrainingArguments, set_seed)
from diet_explorer import ScoreRecorder, Workspace
home, dataset_id, model_path, out = sys.argv[1:5]
torch.set_num_threads(1)
tokenizer = AutoTokenizer.from_pretrained(model_path)
set_seed(0)
model = AutoModelForSequenceClassification.from_pretrained(model_path, num_labels=2)
frame = Workspace(home).dataset(dataset_id).examples()
rows = [{**tokenizer(t, truncation=True, max_length=16), "labels": int(l == "good")}
        for t, l in zip(frame["text"], frame["label"])]
recorder = ScoreRecorder(home, dataset_id, name="two processes", checkpoints=(0, 1), max_length=16)
args = TrainingArguments(output_dir=out, num_train_epochs=1, per_device_train_batch_size=8, save_strategy="no",
                         report_to="none", disable_tqdm=True, use_cpu=True,
                         ddp_backend="gloo" if "RANK" in os.environ else None)
Trainer(model=model, args=args, train_dataset=rows, data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer, callbacks=[recorder]).train()
if args.process_index == 0:
    print("RUN", recorder.run_id, args.world_size)
if torch.distributed.is_initialized():
    torch.distributed.destroy_process_group()  # its threads may abort a process that ends with them alive
"""


def test_two_processes_share_the_scoring_and_one_writes(made):
    workspace, dataset, model, folder = made
    script = folder / "script.py"
    script.write_text(SCRIPT)
    arguments = [workspace.settings.home, dataset.id, str(model), str(folder / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr
    _, run_id, processes = next(line for line in done.stdout.splitlines() if line.startswith("RUN")).split()
    assert processes == "2"
    run = workspace.run(run_id)
    assert run.status == "succeeded" and run.landed() == {0: [0.0, 1.0]}
    alone = ScoreRecorder(workspace, dataset, checkpoints=(0,), max_length=16)
    set_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(model)
    Trainer(
        model=AutoModelForSequenceClassification.from_pretrained(model, num_labels=2),
        args=TrainingArguments(
            output_dir=str(folder / "out"),
            max_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        ),
        train_dataset=[{**tokenizer("the film"), "labels": 0}] * 8,
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
        callbacks=[alone],
    ).train()
    together = run.scores().query("checkpoint == 0").reset_index(drop=True)
    single = workspace.run(alone.run_id).scores().query("checkpoint == 0").reset_index(drop=True)
    for name in ("el2n", "grand", "grand_head", "loss", "margin", "entropy"):
        np.testing.assert_allclose(together[name], single[name], rtol=2e-5, atol=1e-6, err_msg=name)
    pd.testing.assert_series_equal(together["predicted"], single["predicted"])
    assert [line["event"] for line in run.log()].count("checkpoint") == 2
    assert json.loads(json.dumps(run.log()))


def test_a_killed_script_is_told_from_a_living_one_and_can_be_closed(made):
    workspace, dataset, model, folder = made
    script = folder / "dies.py"
    dying = SCRIPT.replace(
        "recorder = ",
        "class Dies(TrainerCallback):\n    def on_step_end(self, *a, **k): os.kill(os.getpid(), 9)\nrecorder = ",
    ).replace("callbacks=[recorder]", "callbacks=[recorder, Dies()]")
    script.write_text(dying.replace("two processes", "killed"))
    done = subprocess.run(
        [sys.executable, str(script), workspace.settings.home, dataset.id, str(model), str(folder / "out")],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == -9, done.stderr[-2000:]
    run = next(run for run in workspace.runs() if run.name == "killed")
    assert run.status == "interrupted" and "ended before its training did" in (run.error or "")
    assert run.landed() == {0: [0.0]}
    status = inside("status", run.id, home=workspace.settings.home)
    assert "interrupted" in status.stdout and "No worker" not in status.stdout
    closed = inside("cancel", run.id, home=workspace.settings.home)
    assert closed.returncode == 0 and "what has landed stays readable" in closed.stdout
    assert run.refresh().status == "cancelled"
