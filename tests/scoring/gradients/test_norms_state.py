"""Scoring leaves no trace on the model, on its gradients or on the random state."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import Trainer, TrainerCallback, TrainingArguments

from diet_explorer.scoring.gradients.norms import GradientNorms, gradient_norms
from tests.scoring.gradients.reference_gradients import make_batch, make_model, reference_norms, relative_error


def snapshot(model: nn.Module) -> dict[str, Any]:
    return {
        "flags": {name: parameter.requires_grad for name, parameter in model.named_parameters()},
        "modes": {name: module.training for name, module in model.named_modules()},
        "hooks": {
            name: (dict(module._forward_hooks), dict(module._forward_pre_hooks), dict(module._backward_hooks))
            for name, module in model.named_modules()
        },
        "instance": {name: "forward" in module.__dict__ for name, module in model.named_modules()},
        "gradients": {n: None if p.grad is None else p.grad.clone() for n, p in model.named_parameters()},
        "values": {name: value.clone() for name, value in model.state_dict().items()},
        "random": torch.get_rng_state(),
    }


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    for key in ("flags", "modes", "hooks", "instance"):
        assert before[key] == after[key], key
    for key in ("gradients", "values"):
        for name, value in before[key].items():
            other = after[key][name]
            assert (value is None and other is None) or torch.equal(value, other), name
    assert torch.equal(before["random"], after["random"])


def unusual_state() -> nn.Module:
    """Some parts in evaluation mode, some parameters frozen, a foreign hook, gradients in place."""
    model = make_model("bert").train()
    model.bert.encoder.layer[0].eval()
    model.bert.embeddings.LayerNorm.weight.requires_grad_(False)
    model.dropout.register_forward_hook(lambda module, args, output: None)
    batch, labels = make_batch([5, 3], seed=5)
    model(**batch, labels=labels).loss.backward()
    return model


@pytest.mark.parametrize("name", ["bert", "deberta-v3"])
def test_the_model_comes_back_as_it_was(name: str) -> None:
    model = unusual_state() if name == "bert" else make_model(name).train()
    batch, labels = make_batch([7, 4, 9])
    before = snapshot(model)
    gradient_norms(model, batch, labels)
    assert_same(before, snapshot(model))
    with GradientNorms(model) as norms:
        norms(batch, labels)
        assert not any(parameter.requires_grad for parameter in model.parameters())
        assert not any(module.training for module in model.modules())
        norms(batch, labels)
    assert_same(before, snapshot(model))


@pytest.mark.parametrize("at", ["first call", "later call", "body"])
def test_also_after_an_exception(at: str) -> None:
    model = unusual_state()
    batch, labels = make_batch([7, 4, 9])
    broken = {**batch, "input_ids": batch["input_ids"] + 1000}
    before = snapshot(model)
    engine = GradientNorms(model)
    if at == "body":
        with pytest.raises(KeyboardInterrupt), engine:
            raise KeyboardInterrupt
    else:
        with pytest.raises(IndexError), engine as norms:
            if at == "later call":
                norms(batch, labels)
            norms(broken, labels)
    assert_same(before, snapshot(model))
    assert relative_error(engine(batch, labels).norms, reference_norms(model, batch, labels)) <= 1e-5


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_works_where_gradients_are_switched_off(context: Any) -> None:
    model = make_model("bert")
    with context():
        batch, labels = make_batch([7, 4, 9])
        found = gradient_norms(model, batch, labels)
        assert not torch.is_grad_enabled()
    batch, labels = make_batch([7, 4, 9])
    assert relative_error(found.clone(), reference_norms(model, batch, labels)) <= 1e-5


def test_wrapped_models_are_looked_through() -> None:
    model = make_model("bert")
    batch, labels = make_batch([7, 4, 9])
    assert torch.equal(gradient_norms(nn.DataParallel(model), batch, labels), gradient_norms(model, batch, labels))


def test_same_batch_same_bits() -> None:
    model = make_model("roberta")
    batch, labels = make_batch([7, 4, 9, 12])
    engine = GradientNorms(model)
    assert torch.equal(engine(batch, labels).norms, engine(batch, labels).norms)
    assert torch.equal(engine(batch, labels).norms, gradient_norms(model, batch, labels))


def test_labels_inside_the_batch_are_ignored() -> None:
    model = make_model("bert")
    batch, labels = make_batch([7, 4, 9])
    with_labels = {**batch, "labels": torch.tensor([2, 2, 2])}
    assert torch.equal(gradient_norms(model, with_labels, labels), gradient_norms(model, batch, labels))


class ScoreEveryStep(TrainerCallback):
    """Scores a batch after every step, with the model that the Trainer hands over."""

    def __init__(self) -> None:
        self.found: list[Tensor] = []
        self.weights: list[dict[str, Tensor]] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        model = kwargs["model"]
        batch, labels = make_batch([7, 4, 9])
        self.found.append(gradient_norms(model, batch, labels))
        self.weights.append(copy.deepcopy(model.state_dict()))


def train(tmp_path: Any, callbacks: list[TrainerCallback], *, bf16: bool = False) -> dict[str, Tensor]:
    batch, labels = make_batch([7, 4, 9, 5, 6, 6], seed=3)
    rows = [{**{key: value[i] for key, value in batch.items()}, "labels": labels[i]} for i in range(6)]
    arguments = TrainingArguments(
        output_dir=str(tmp_path), max_steps=3, per_device_train_batch_size=2, report_to=[], use_cpu=True, bf16=bf16,
        disable_tqdm=True, save_strategy="no", seed=1,
    )  # fmt: skip
    trainer = Trainer(model=make_model("bert"), args=arguments, train_dataset=rows, callbacks=callbacks)
    trainer.train()
    return copy.deepcopy(trainer.model.state_dict())


@pytest.mark.parametrize("bf16", [False, True])
def test_training_is_bit_identical_with_scoring_in_a_callback(tmp_path: Any, bf16: bool) -> None:
    """Under bf16 the weights stay fp32, and scores are taken in fp32 without the Trainer's autocast."""
    callback = ScoreEveryStep()
    scored = train(tmp_path / "a", [callback], bf16=bf16)
    plain = train(tmp_path / "b", [], bf16=bf16)
    assert all(torch.equal(scored[name], plain[name]) for name in plain)
    assert len(callback.found) == 3
    model = make_model("bert")
    for found, weights in zip(callback.found, callback.weights, strict=True):
        model.load_state_dict(weights)
        assert relative_error(found, reference_norms(model, *make_batch([7, 4, 9]))) <= 1e-5


def test_autocast_by_the_caller_is_kept_and_summed_in_fp32() -> None:
    model = make_model("bert")
    batch, labels = make_batch([7, 4, 9, 8, 5])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        engine = GradientNorms(model)
        found = engine(batch, labels)
    assert engine.coverage.slow == ()
    assert found.norms.dtype == found.logits.dtype == torch.float32
    error = relative_error(found.norms, reference_norms(model, batch, labels))
    assert 1e-6 < error < 0.1


def test_gram_matrices_are_fp32_whatever_the_caller_computes_in() -> None:
    seen = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is torch.ops.aten.bmm.default:
                seen.append(args[0].dtype)
            return func(*args, **(kwargs or {}))

    class WithoutAttention(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.head = torch.nn.Embedding(20, 32), torch.nn.Linear(32, 32)

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            return self.head(self.words(input_ids)).sum(1)

    engine = GradientNorms(WithoutAttention())
    batch, labels = {"input_ids": torch.arange(12).view(3, 4)}, torch.tensor([0, 1, 2])
    engine(batch, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16), Watch():
        engine(batch, labels)
    assert seen
    assert set(seen) == {torch.float32}
