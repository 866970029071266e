"""What a run will take, before it starts: arithmetic over tokens and parameters. Imports no torch."""

from __future__ import annotations

import os
from dataclasses import dataclass

from diet_explorer.errors import ModelError
from diet_explorer.training.config import RunConfig
from diet_explorer.training.models import recorded_model

CHARACTERS_PER_TOKEN = 4.3
FLOPS_PER_CORE = 25e9  # fine-tuning a small encoder on an ordinary core, measured with MiniLM
# floating-point operations per token and parameter: forward 2, activation gradients 2, weight gradients 2;
# the gradient-norm pass forms no weight gradient and pays a little for the norms
TRAINING_OPERATIONS = 6.0
SCORING_OPERATIONS = {"all": 4.2, "head": 2.1, "off": 2.0}
BERT_BASE_PARAMETERS = 85e6


@dataclass(frozen=True)
class MeasuredRates:
    """Seconds per token on this machine, measured on a dataset's own examples."""

    tokens_per_example: float
    training: float  # a step: forward, backward, optimiser
    off: float  # a scoring pass without gradient norms
    head: float  # with those of the classifier
    all: float  # with those of all parameters


@dataclass(frozen=True)
class CostEstimate:
    """Expected cost of a run on this machine, in seconds, and where the rates come from."""

    steps: int
    tokens: int
    seconds_training: float
    seconds_scoring: float
    measured: bool
    basis: str

    @property
    def seconds_total(self) -> float:
        """Training and scoring together."""
        return self.seconds_training + self.seconds_scoring


def estimate_cost(
    config: RunConfig, train_rows: int, train_tokens: float, all_tokens: float, rates: MeasuredRates | None = None
) -> CostEstimate:
    """Estimate a run's time, from measured rates where there are any, else from arithmetic; tokens are those expected
    of one pass over the training split, and over every split."""
    measured, basis = rates is not None, "Measured on this machine with your own examples"
    if rates is None:
        rates, basis = _assumed_rates(config)
    scoring = {"all": rates.all, "head": rates.head, "off": rates.off}[config.grand]
    passes = len(config.checkpoints) * config.seeds
    epochs = config.passes * config.seeds
    return CostEstimate(
        steps=config.steps(train_rows)[1] * config.seeds,
        tokens=round(train_tokens * epochs + all_tokens * passes),
        seconds_training=rates.training * train_tokens * epochs,
        seconds_scoring=scoring * all_tokens * passes,
        measured=measured,
        basis=basis,
    )


def _assumed_rates(config: RunConfig) -> tuple[MeasuredRates, str]:
    parameters, known = layer_parameters(config.model)
    cores = os.cpu_count() or 1
    each = parameters / (FLOPS_PER_CORE * cores)
    rates = MeasuredRates(
        tokens_per_example=0.0,
        training=TRAINING_OPERATIONS * each,
        **{mode: operations * each for mode, operations in SCORING_OPERATIONS.items()},
    )
    size = f"{parameters / 1e6:.0f} million layer parameters" + ("" if known else ", assumed as in BERT-base")
    return rates, f"from the number of tokens, {size}, {cores} processor cores; a GPU is many times faster"


def layer_parameters(model: str) -> tuple[float, bool]:
    """Parameters of a model's layers (embeddings left out), and whether they are known rather than assumed."""
    try:
        config = recorded_model(model).config()
    except ModelError:
        config = None
    sizes = config or {}
    width = sizes.get("hidden_size") or sizes.get("dim") or sizes.get("n_embd") or sizes.get("d_model")
    depth = sizes.get("num_hidden_layers") or sizes.get("n_layers") or sizes.get("n_layer") or sizes.get("num_layers")
    if not width or not depth:
        return BERT_BASE_PARAMETERS, False
    inner = sizes.get("intermediate_size") or sizes.get("hidden_dim") or sizes.get("d_ff") or 4 * width
    return float(depth * (4 * width * width + 2 * width * inner)), True
