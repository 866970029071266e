"""Which models of one's own are scored, by which head, and which are refused before the first step."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoModel, TrainerCallback, TrainerControl, TrainerState
from transformers.modeling_outputs import SequenceClassifierOutput

from diet_explorer.errors import ModelError
from tests.scoring.own_scripts import Script


@pytest.fixture(scope="module")
def script(tmp_path_factory, model):
    return Script.make(tmp_path_factory.mktemp("models"), model)


class Plain(nn.Module):
    """A module as Trainer takes it: no config, no base_model."""

    def __init__(self, path, outputs=2):
        super().__init__()
        torch.manual_seed(3)
        self.encoder = AutoModel.from_pretrained(path)
        self.classifier = nn.Linear(16, outputs)

    def logits(self, input_ids, attention_mask):
        return self.classifier(self.encoder(input_ids, attention_mask).last_hidden_state[:, 0])

    def forward(self, input_ids=None, attention_mask=None, labels=None):  # takes no token_type_ids
        logits = self.logits(input_ids, attention_mask)
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)


class WithConfig(Plain):
    def __init__(self, path):
        super().__init__(path)
        self.config = self.encoder.config
        self.config.id2label, self.config.label2id = {0: "good", 1: "bad"}, {"good": 0, "bad": 1}


class Dictionary(Plain):
    def forward(self, input_ids=None, attention_mask=None, labels=None):
        outputs = super().forward(input_ids, attention_mask, labels)
        return {name: value for name, value in outputs.items() if value is not None}


class Pair(Plain):
    def forward(self, input_ids=None, attention_mask=None, labels=None):
        outputs = super().forward(input_ids, attention_mask, labels)
        return (outputs.loss, outputs.logits) if outputs.loss is not None else (outputs.logits,)


class NamesNothing(Plain):
    def forward(self, **inputs):
        return super().forward(inputs["input_ids"], inputs["attention_mask"], inputs.get("labels"))


class NeedsLabels(Plain):
    def forward(self, labels, input_ids, attention_mask):
        logits = self.logits(input_ids, attention_mask)
        return nn.functional.cross_entropy(logits, labels), logits


class HeadWithin(Plain):
    """What makes the logits is no layer."""

    def logits(self, input_ids, attention_mask):
        return super().logits(input_ids, attention_mask) * 2.0


class Probabilities(Plain):
    def logits(self, input_ids, attention_mask):
        return super().logits(input_ids, attention_mask).softmax(-1)


class Sigmoids(Plain):
    def logits(self, input_ids, attention_mask):
        return super().logits(input_ids, attention_mask).sigmoid()


class SetFitModel:
    """Has the name of SetFit's."""


@pytest.mark.parametrize("kind", [Plain, WithConfig, Dictionary, Pair, NeedsLabels])
def test_modules_are_scored_by_the_layer_that_makes_the_logits(script, kind):
    module = kind(script.model_path)
    turned = kind is WithConfig  # its classes stand the other way round
    data = [{**example, "labels": 1 - example["labels"]} if turned else example for example in script.examples()]
    run = script.record(model=module, data=data, recording={"grand": "all", "checkpoints": (1,)}, learning_rate=1e-2)
    assert run.status == "succeeded"
    frame = run.scores()
    module.eval()
    for row in (0, 7):
        batch = script.tokenizer(
            script.dataset.examples()["text"][row], return_tensors="pt", truncation=True, max_length=16
        )
        logits = module.logits(batch["input_ids"], batch["attention_mask"])
        code = script.dataset.classes.index(frame["label"][row])
        label = torch.tensor([1 - code if turned else code])
        loss = nn.functional.cross_entropy(logits, label)
        gradients = torch.autograd.grad(loss, list(module.parameters()), allow_unused=True)
        by_parameter = dict(zip(module.parameters(), gradients, strict=True))
        head = sum(by_parameter[value].square().sum() for value in module.classifier.parameters()).sqrt()
        total = sum(value.square().sum() for value in gradients if value is not None).sqrt()
        np.testing.assert_allclose(frame["loss"][row], loss.item(), rtol=1e-4)
        np.testing.assert_allclose(frame["grand_head"][row], head.item(), rtol=1e-3)
        np.testing.assert_allclose(frame["grand"][row], total.item(), rtol=1e-3)


def test_where_the_head_is_not_known_its_columns_are_left_out(script):
    run = script.record(model=HeadWithin(script.model_path), recording={"grand": "all", "checkpoints": (0, 1)})
    assert "grand" in run.recorded_names() and "grand_head" not in run.recorded_names()
    assert "self_influence" not in run.score_names(1.0)
    frozen = script.model()
    frozen.classifier.requires_grad_(False)
    kept = script.record(model=frozen, recording={"grand": "all", "checkpoints": (1,)})
    assert "grand_head" not in kept.recorded_names()


class Steps(TrainerCallback):
    def __init__(self):
        self.taken = 0

    def on_step_end(self, *_, **__):
        self.taken += 1


def several(script):
    return [{**row, "labels": [float(row["labels"] == 0), float(row["labels"] == 1)]} for row in script.examples()]


REFUSED = {
    "several labels": (
        lambda s: {"model": s.model(problem_type="multi_label_classification"), "data": several(s)},
        "problem_type is multi_label",
    ),
    "several labels, unsaid": (lambda s: {"data": several(s)}, "have 2 labels each"),
    "one sigmoid": (
        lambda s: {
            "model": Plain(s.model_path, 1),
            "data": [{**row, "labels": [float(row["labels"])]} for row in s.examples()],
        },
        "labels|one output",
    ),
    "a number": (lambda s: {"model": s.model(num_labels=1, ignore_mismatched_sizes=True)}, "one output"),
    "regression": (lambda s: {"model": s.model(problem_type="regression")}, "problem_type is regression"),
    "sigmoids": (lambda s: {"model": Sigmoids(s.model_path)}, "returns sigmoids, not logits"),
    "probabilities": (lambda s: {"model": Probabilities(s.model_path)}, "returns probabilities, not logits"),
    "other classes": (
        lambda s: {"model": s.model(num_labels=3, ignore_mismatched_sizes=True)},
        "3 classes, the dataset 2",
    ),
    "no head": (lambda s: {"model": HeadWithin(s.model_path)}, "head of HeadWithin is not known"),
    "no column": (lambda s: {"model": NamesNothing(s.model_path)}, "gives NamesNothing no column of the data"),
    "an encoder": (lambda s: {"model": AutoModel.from_pretrained(s.model_path)}, "does not return logits"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_scored_is_refused_before_the_first_step(script, what):
    made, words = REFUSED[what]
    steps, recorder = Steps(), script.recorder(what)
    with pytest.raises(ModelError, match=words) as caught:
        script.trainer([recorder, steps], **made(script)).train()
    assert steps.taken == 0 and recorder.run_id is None
    assert "\n" not in str(caught.value)
    assert not [run for run in script.workspace.runs() if run.name == what]


def test_setfit_and_shared_weights_are_refused_in_one_line(script):
    for model, settings, words in (
        (SetFitModel(), {}, "SetFitModel is trained to embed texts"),
        (object(), {}, "is no torch.nn.Module"),
        (script.model(), {"fsdp": "full_shard"}, "shares its weights among processes .FSDP."),
        (script.model(), {"deepspeed": {"zero_optimization": {}}}, "DeepSpeed"),
    ):
        args = SimpleNamespace(**{"fsdp": None, "deepspeed": None, "process_index": 0, **settings})
        with pytest.raises(ModelError, match=words):
            script.recorder().on_train_begin(args, TrainerState(), TrainerControl(), model=model)
