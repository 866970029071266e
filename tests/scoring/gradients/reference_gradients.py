"""The slow oracle: one autograd backward pass per example, and tiny random models of many architectures."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    GPT2Config,
    LlamaConfig,
    ModernBertConfig,
    MPNetConfig,
    PreTrainedConfig,
    RobertaConfig,
    T5Config,
    UMT5Config,
    XLMRobertaConfig,
)

VOCABULARY, CLASSES, PAD, CLS, SEP = 40, 3, 1, 2, 3
_COMMON = {"vocab_size": VOCABULARY, "num_labels": CLASSES, "pad_token_id": PAD}
_ENCODER = {
    **_COMMON,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 32,
    "initializer_range": 0.2,
}
_T5 = {
    **_COMMON,
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 24,
    "num_layers": 2,
    "num_heads": 2,
    "eos_token_id": SEP,
    "decoder_start_token_id": PAD,
}
_DEBERTA = {**_ENCODER, "relative_attention": True, "type_vocab_size": 0, "position_biased_input": False}

CONFIGS: dict[str, Callable[[], PreTrainedConfig]] = {
    "bert": lambda: BertConfig(**_ENCODER),
    "roberta": lambda: RobertaConfig(**_ENCODER),
    "xlm-roberta": lambda: XLMRobertaConfig(**_ENCODER),
    "distilbert": lambda: DistilBertConfig(
        **_COMMON, dim=16, n_layers=2, n_heads=2, hidden_dim=24, max_position_embeddings=32, initializer_range=0.2
    ),
    "electra": lambda: ElectraConfig(**_ENCODER, embedding_size=12),
    "albert": lambda: AlbertConfig(**{**_ENCODER, "num_hidden_layers": 3}, embedding_size=12),
    "mpnet": lambda: MPNetConfig(**_ENCODER),
    "deberta-v2": lambda: DebertaV2Config(**_DEBERTA, pos_att_type=["c2p", "p2c"]),
    "deberta-v3": lambda: DebertaV2Config(
        **_DEBERTA, pos_att_type=["p2c", "c2p"], share_att_key=True, norm_rel_ebd="layer_norm", position_buckets=8
    ),
    "modernbert": lambda: ModernBertConfig(
        **_ENCODER, cls_token_id=CLS, sep_token_id=SEP, bos_token_id=CLS, eos_token_id=SEP, local_attention=4
    ),
    "gpt2": lambda: GPT2Config(**_COMMON, n_embd=16, n_layer=2, n_head=2, n_positions=32, initializer_range=0.2),
    "llama": lambda: LlamaConfig(**_ENCODER, num_key_value_heads=1),
    "t5": lambda: T5Config(**_T5),
    "umt5": lambda: UMT5Config(**_T5),
}
"""Tiny configurations by name. The first token is CLS, the last real one SEP, padding is PAD."""

EAGER_ONLY = frozenset({"deberta-v2", "deberta-v3", "mpnet"})
WITH_TOKEN_TYPES = frozenset({"bert", "electra", "albert"})


def make_model(name: str, attention: str = "eager") -> nn.Module:
    """A randomly initialised classifier, every bias and norm weight perturbed so that no gradient is trivially zero."""
    torch.manual_seed(len(name))
    config = CONFIGS[name]()
    model = AutoModelForSequenceClassification.from_config(config, attn_implementation=attention)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def make_batch(
    lengths: list[int], *, side: str = "right", pairs: bool = False, width: int | None = None, seed: int = 0
) -> tuple[dict[str, Tensor], Tensor]:
    """Random token ids of the given lengths, padded to `width` or the longest, and labels."""
    generator = torch.Generator().manual_seed(seed)
    width = width or max(lengths)
    ids = torch.full((len(lengths), width), PAD)
    mask, types = torch.zeros_like(ids), torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        tokens = torch.randint(SEP + 1, VOCABULARY, (length,), generator=generator)
        tokens[0], tokens[-1] = CLS, SEP
        start = 0 if side == "right" else width - length
        ids[row, start : start + length] = tokens
        mask[row, start : start + length] = 1
        types[row, start + length // 2 : start + length] = 1
    batch = {"input_ids": ids, "attention_mask": mask} | ({"token_type_ids": types} if pairs else {})
    return batch, torch.randint(0, CLASSES, (len(lengths),), generator=generator)


def reference_squares(
    model: nn.Module, batch: Mapping[str, Tensor], labels: Tensor, wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, Tensor]:
    """Squared gradient norms (B,) of every trainable parameter by one backward pass per example, in evaluation mode."""
    training = model.training
    model.eval()
    named = {n: p for n, p in model.named_parameters() if p.requires_grad and wanted(n)}
    squares = {name: torch.zeros(len(labels), dtype=torch.float64) for name in named}
    for row in range(len(labels)):
        output = model(**{key: value[row : row + 1] for key, value in batch.items()})
        logits = output if isinstance(output, Tensor) else output.logits
        loss = nn.functional.cross_entropy(logits, labels[row : row + 1])
        for name, gradient in zip(
            named, torch.autograd.grad(loss, list(named.values()), allow_unused=True), strict=True
        ):
            if gradient is not None:
                squares[name][row] = gradient.double().square().sum()
    model.train(training)
    return squares


def reference_norms(model: nn.Module, batch: Mapping[str, Tensor], labels: Tensor) -> Tensor:
    """Norms (B,) over all trainable parameters, fp64."""
    return torch.stack(list(reference_squares(model, batch, labels).values())).sum(0).sqrt()


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Largest relative difference."""
    return float(((found.double() - expected) / expected).abs().max())
