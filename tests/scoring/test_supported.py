"""Trainings of one's own that are supported: each line of the documentation's table, and the usual settings."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import IterableDataset
from transformers import DataCollatorWithPadding, EarlyStoppingCallback, Trainer

from diet_explorer.scoring.supported import SUPPORTED, supported_table
from tests.scoring.own_scripts import STEPS, Script, steps_of

TESTS = Path(__file__).parent
PAGE = TESTS.parents[1] / "docs" / "guides" / "own-training.md"


@pytest.fixture(scope="module")
def script(tmp_path_factory, model):
    return Script.make(tmp_path_factory.mktemp("supported"), model)


def test_the_guide_has_the_table_and_every_line_has_its_test():
    assert supported_table() in PAGE.read_text(encoding="utf-8")
    there = set(re.findall(r"^def (test_\w+)", "\n".join(map(Path.read_text, TESTS.glob("test_*.py"))), re.MULTILINE))
    assert {entry.test for entry in SUPPORTED} <= there


class Weighted(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False, **_):
        labels = inputs.pop("labels")
        outputs = model(**inputs)
        loss = nn.functional.cross_entropy(outputs.logits, labels, weight=torch.tensor([1.0, 5.0]))
        return (loss, outputs) if return_outputs else loss


SETTINGS = {
    "compute_loss": lambda s: {"kind": Weighted},
    "label smoothing": lambda s: {"label_smoothing_factor": 0.1},
    "accumulation": lambda s: {"gradient_accumulation_steps": 3},
    "bf16": lambda s: {"bf16": True},
    "gradient checkpointing": lambda s: {"gradient_checkpointing": True},
    "auto_find_batch_size": lambda s: {"auto_find_batch_size": True},
    "grouping by length": lambda s: {"train_sampling_strategy": "group_by_length"},
    "drop last": lambda s: {"dataloader_drop_last": True, "per_device_train_batch_size": 9},
    "multiples": lambda s: {"collator": DataCollatorWithPadding(s.tokenizer, pad_to_multiple_of=8)},
    "torch.compile": lambda s: {"torch_compile": True, "torch_compile_backend": "eager"},
}


@pytest.mark.parametrize("what", SETTINGS)
def test_usual_settings(script, what):
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(True)  # mixed precision is a setting of the process
    run = script.record(name=what, recording={"checkpoints": (0, 1)}, **SETTINGS[what](script))
    AcceleratorState._reset_state(True)
    assert run.status == "succeeded" and run.landed() == {0: [0.0, 1.0]}
    assert (run.scores()["grand_head"] > 0).all()


def test_early_stopping_says_where_the_training_ended(script, tmp_path):
    run = script.record(
        callbacks=[EarlyStoppingCallback(1)],
        num_train_epochs=30,
        learning_rate=0.0,  # nothing gets better
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        output_dir=str(tmp_path),
        evaluation=script.examples()[:8],
        recording={"checkpoints": (0, 1, 30)},
    )
    assert run.status == "succeeded" and run.landed() == {0: [0.0, 1.0]}
    assert "before scores could be taken after epoch 30" in " ".join(run.progress().notes)


class Stream(IterableDataset):
    def __init__(self, rows):
        self._rows = rows

    def __iter__(self):
        while True:
            yield from self._rows


def test_a_stream_is_scored(script):
    run = script.record(data=Stream(script.examples()), max_steps=9)
    assert steps_of(run) == {0.0: 0, 0.25: 2, 0.5: 3, 1.0: STEPS, 1.5: 9}
    assert any("have no length" in line["message"] for line in run.log())


class Quantised(nn.Module):
    """A layer with whole numbers for weights, as quantised models have."""

    def __init__(self, layer):
        super().__init__()
        self.scale = layer.weight.abs().max().item() / 127
        self.weight = nn.Parameter((layer.weight / self.scale).round().to(torch.int8), requires_grad=False)

    def forward(self, hidden):
        return hidden @ (self.weight.float() * self.scale).T


def test_frozen_and_quantised_parts_are_left_out(script):
    model = script.model()
    model.bert.requires_grad_(False)
    model.bert.pooler.requires_grad_(True)
    dense = model.bert.encoder.layer[0].intermediate
    dense.dense = Quantised(dense.dense)
    run = script.record(model=model, recording={"grand": "all", "checkpoints": (1,)})
    frame = run.scores()
    assert (frame["grand"] > frame["grand_head"]).all() and (frame["grand_head"] > 0).all()


def test_wrapped_models_are_scored_as_what_they_wrap(script):
    trainer, recorder = script.trainer(), script.recorder(checkpoints=(0,))
    trainer.add_callback(recorder)
    trainer.model = nn.DataParallel(trainer.model)
    trainer.callback_handler.model = trainer.model
    state = trainer.state
    state.max_steps = STEPS
    recorder.on_train_begin(
        trainer.args,
        state,
        trainer.control,
        model=trainer.model,
        processing_class=script.tokenizer,
        train_dataloader=trainer.get_train_dataloader(),
    )
    recorder.on_train_end(trainer.args, state, trainer.control)
    assert script.run(recorder).landed() == {0: [0.0]}
