"""Encoders whose classifier reads the first position only: nothing else is needed after the last attention."""

from __future__ import annotations

from torch import Tensor, nn

from diet_explorer.scoring.gradients.parameter_groups import backbone, classifier

_FIRST_POSITION = frozenset(
    f"transformers.models.{module}.modeling_{module}.{name}ForSequenceClassification"
    for module, name in (
        ("bert", "Bert"),
        ("camembert", "Camembert"),
        ("deberta", "Deberta"),
        ("deberta_v2", "DebertaV2"),
        ("electra", "Electra"),
        ("roberta", "Roberta"),
        ("xlm_roberta", "XLMRoberta"),
    )
)


def last_attention(model: nn.Module) -> nn.Module | None:
    """The last attention block, None for other architectures.

    All that follows its module ``output``, which takes (attention output, residual), works on each position by
    itself, and the classifier reads position 0.
    """
    kind = type(classifier(model))
    encoder = getattr(backbone(model), "encoder", None)
    if f"{kind.__module__}.{kind.__qualname__}" not in _FIRST_POSITION or encoder is None:
        return None
    if getattr(encoder, "conv", None) is not None:
        return None
    attention: nn.Module = encoder.layer[-1].attention
    return attention


def first_position(module: nn.Module, args: tuple[object, ...]) -> tuple[object, ...]:
    """Forward pre-hook: cut every (B, T, d) argument down to its first position."""
    return tuple(value[:, :1] if isinstance(value, Tensor) and value.dim() == 3 else value for value in args)
