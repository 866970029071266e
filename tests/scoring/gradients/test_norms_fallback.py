"""What the fast rules do not cover is found out, reported, and still exact."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from diet_explorer.errors import BadInputError, ModelError
from diet_explorer.scoring.gradients.norms import GradientNorms, gradient_norms, head_gradient_norms
from tests.scoring.gradients.reference_gradients import make_batch, make_model, reference_norms, relative_error

TOLERANCE = 1e-5
SIZE = 12


class Gate(nn.Module):
    """Owns a parameter of a kind that no rule knows."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.randn(SIZE))

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden * self.scale.tanh()


class Doubled(nn.Linear):
    """A subclass that computes something else than its base class."""

    def forward(self, hidden: Tensor) -> Tensor:
        return 2 * super().forward(hidden) + hidden.sum() * 0


class Classifier(nn.Module):
    """Mean-pooled classifier whose middle part differs from test to test; without a mask, so padding counts."""

    def __init__(self, middle: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.embedding = nn.Embedding(40, SIZE)
        self.first = nn.Linear(SIZE, SIZE)
        self.norm = nn.LayerNorm(SIZE)
        self.middle = middle if middle is not None else nn.Identity()
        self.last = nn.Linear(SIZE, 3)

    def encode(self, input_ids: Tensor) -> Tensor:
        return self.middle(self.norm(self.first(self.embedding(input_ids)).tanh()))

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        return self.last(self.encode(input_ids).mean(1))


class HeadWithin(Classifier):
    """What makes the logits is followed by more than a layer."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        return 2 * super().forward(input_ids)


class Functional(Classifier):
    """Uses a Linear both as a module and through its weight."""

    def encode(self, input_ids: Tensor) -> Tensor:
        hidden = super().encode(input_ids)
        return nn.functional.linear(hidden, self.first.weight).tanh()


class TiedProjection(Classifier):
    """Multiplies with the embedding table."""

    def encode(self, input_ids: Tensor) -> Tensor:
        hidden = super().encode(input_ids)
        return (hidden @ self.embedding.weight.t()) @ self.embedding.weight / 40


class TimeFirst(Classifier):
    """Runs a Linear on (T, B, d)."""

    def encode(self, input_ids: Tensor) -> Tensor:
        return self.first(super().encode(input_ids).transpose(0, 1)).transpose(0, 1).tanh()


class Flattened(Classifier):
    """Runs its layers on (B·T, d)."""

    def encode(self, input_ids: Tensor) -> Tensor:
        hidden = self.embedding(input_ids)
        return self.norm(self.first(hidden.flatten(0, 1))).view_as(hidden)


class InPlace(Classifier):
    """Overwrites embeddings and the output of a layer in place; autograd then goes around the latter's hook."""

    def encode(self, input_ids: Tensor) -> Tensor:
        hidden = self.embedding(input_ids)
        hidden *= 3
        out = self.first(hidden)
        out += hidden
        return self.norm(out)


class Repeated(Classifier):
    """Runs the same Linear and the same norm three times, and the same table twice."""

    def encode(self, input_ids: Tensor) -> Tensor:
        hidden = self.embedding(input_ids) + self.embedding(input_ids.flip(1))
        for _ in range(3):
            hidden = self.norm(self.first(hidden)) + hidden
        return hidden


class Sometimes(Classifier):
    """Skips a layer for long inputs, so that a plan made on short ones does not hold."""

    def encode(self, input_ids: Tensor) -> Tensor:
        hidden = super().encode(input_ids)
        return hidden if input_ids.shape[1] > 6 else self.first(hidden)


def ids(length: int = 5, size: int = 4) -> tuple[dict[str, Tensor], Tensor]:
    generator = torch.Generator().manual_seed(length)
    batch = {"input_ids": torch.randint(0, 40, (size, length), generator=generator)}
    return batch, torch.randint(0, 3, (size,), generator=generator)


@pytest.mark.parametrize(
    ("model", "slow"),
    [
        (Classifier(), ()),
        (InPlace(), ("first.weight", "first.bias")),
        (Repeated(), ()),
        (Classifier(Gate()), ("middle.scale",)),
        (Classifier(Doubled(SIZE, SIZE)), ("middle.weight", "middle.bias")),
        (Classifier(nn.MultiheadAttention(SIZE, 2, batch_first=True)), None),
        (Classifier(nn.TransformerEncoderLayer(SIZE, 2, 16, batch_first=True)), None),
        (Classifier(nn.utils.parametrizations.weight_norm(nn.Linear(SIZE, SIZE))), None),
        (Functional(), ("first.weight",)),
        (TiedProjection(), ("embedding.weight",)),
        (TimeFirst(), ("first.weight", "first.bias")),
        (Flattened(), ("first.weight", "first.bias", "norm.weight", "norm.bias")),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
@pytest.mark.parametrize("size", [1, 2, 4, 5])
def test_unusual_models_stay_exact(model: Classifier, slow: tuple[str, ...] | None, size: int) -> None:
    if isinstance(model.middle, nn.MultiheadAttention):
        attention = model.middle
        model.middle = SelfAttention(attention)
    batch, labels = ids(5, size)
    engine = GradientNorms(model)
    found = engine(batch, labels)
    assert relative_error(found.norms, reference_norms(model, batch, labels)) <= TOLERANCE
    if slow is not None:
        assert engine.coverage.slow == slow
        assert engine.coverage.fast_share == pytest.approx(
            1 - sum(dict(model.named_parameters())[name].numel() for name in slow) / engine.coverage.total
        )
        assert all(name in str(engine.coverage) for name in slow)


class SelfAttention(nn.Module):
    """Attention of every position to every other."""

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, hidden: Tensor) -> Tensor:
        return self.attention(hidden, hidden, hidden, need_weights=False)[0]


def test_a_foreign_hook_sends_its_module_to_the_slower_path() -> None:
    model = Classifier()
    model.first.register_forward_hook(lambda module, args, output: 3 * output)
    batch, labels = ids()
    engine = GradientNorms(model)
    assert relative_error(engine(batch, labels).norms, reference_norms(model, batch, labels)) <= TOLERANCE
    assert engine.coverage.slow == ("first.weight", "first.bias")


def test_a_changed_structure_is_planned_again() -> None:
    model = Sometimes()
    engine = GradientNorms(model)
    for length in (5, 9, 4, 8):
        batch, labels = ids(length)
        assert relative_error(engine(batch, labels).norms, reference_norms(model, batch, labels)) <= TOLERANCE


def test_padding_is_kept_where_the_model_reads_it() -> None:
    """`Classifier` averages over padding as well; cutting it off would change the logits."""
    model = Classifier()
    batch, labels = make_batch([9, 3, 4, 6])
    assert relative_error(gradient_norms(model, batch, labels), reference_norms(model, batch, labels)) <= TOLERANCE


def test_examples_that_reach_one_another_are_scored_one_by_one() -> None:
    """Each example's own gradient is asked for, so a model that mixes examples falls back to single ones."""

    class Mixed(Classifier):
        def encode(self, input_ids: Tensor) -> Tensor:
            hidden = super().encode(input_ids)
            return hidden + hidden.mean(0, keepdim=True)

    model = Mixed()
    batch, labels = ids()
    engine = GradientNorms(model)
    assert relative_error(engine(batch, labels).norms, reference_norms(model, batch, labels)) <= TOLERANCE
    assert engine.coverage.fast < engine.coverage.total


def test_an_input_overwritten_in_place_is_refused() -> None:
    class Overwriting(Classifier):
        def encode(self, input_ids: Tensor) -> Tensor:
            hidden = self.embedding(input_ids).tanh().detach()
            out = self.first(hidden)
            hidden.zero_()
            return out

    model = Overwriting()
    batch, labels = ids()
    with pytest.raises((ModelError, RuntimeError), match=r"in.?place"):
        gradient_norms(model, batch, labels)


def test_errors_name_the_cause() -> None:
    model = make_model("bert")
    batch, labels = make_batch([5, 4])
    with pytest.raises(BadInputError, match="labels"):
        gradient_norms(model, batch, labels.float())
    with pytest.raises(BadInputError, match="3 examples"):
        gradient_norms(model, batch, torch.zeros(3, dtype=torch.long))
    with pytest.raises(BadInputError, match="class 3"):
        gradient_norms(model, batch, torch.tensor([0, 3]))
    with pytest.raises(ModelError, match="logits"):
        gradient_norms(model.bert, batch, labels)
    with pytest.raises(ModelError, match="head"):
        head_gradient_norms(HeadWithin(), {"input_ids": batch["input_ids"]}, labels)
    with pytest.raises(ModelError, match="no trainable parameter"):
        GradientNorms(make_model("bert").requires_grad_(False))
