"""Every score: name, formula, direction, range, source and one line in plain words.

This is the only place that describes a score. Labels, help texts, sort orders, axis titles and the
choices of the command line are read from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from diet_explorer.errors import NotFoundError

FAYYAZ = "Fayyaz et al. 2022, BERT on a Data Diet, arXiv 2211.05610"
PAUL = "Paul et al. 2021, Deep Learning on a Data Diet, arXiv 2107.07075"
PLEISS = "Pleiss et al. 2020, Identifying Mislabeled Data using the Area Under the Margin Ranking"
SWAYAMDIPTA = "Swayamdipta et al. 2020, Dataset Cartography, arXiv 2009.10795"
TONEVA = "Toneva et al. 2019, An Empirical Study of Example Forgetting, arXiv 1812.05159"
PRUTHI = "Pruthi et al. 2020, Estimating Training Data Influence by Tracing Gradient Descent, arXiv 2002.08484"
Span = Literal["checkpoint", "training"]


@dataclass(frozen=True)
class Score:
    """One score."""

    name: str  # column name in every table, and the choice on the command line
    title: str  # what people read
    formula: str  # in the notation p = softmax(z), one-hot label e_y, loss ℓ, weights w
    latex: str  # the same as a formula to be set; (t) are the checkpoints so far, T of them
    worst: Literal["high", "low"]  # which end holds the hard, suspect or important examples; rankings start there
    direction: str  # the same in words for axis titles
    range: tuple[float | None, float | None]  # None where the bound is open or depends on the data
    range_text: str
    explanation: str  # one line in plain words
    source: str  # where the definition comes from
    span: Span = "checkpoint"  # taken at one checkpoint, or over all after the start of the training up to there
    long_tailed: bool = False  # whether its values span powers of ten, so that a logarithmic axis helps

    @property
    def axis(self) -> str:
        """Axis title: the score and its direction."""
        return f"{self.title} · {self.direction}"

    @property
    def help(self) -> str:
        """Full explanation for a tooltip."""
        return f"{self.explanation} {self.formula}, range {self.range_text}, {self.direction}. {self.source}."


SCORES: tuple[Score, ...] = (
    Score(
        name="el2n",
        title="EL2N",
        formula="‖p − e_y‖₂",
        latex=r"\lVert p - e_y \rVert_2",
        worst="high",
        direction="higher = harder",
        range=(0.0, 2**0.5),
        range_text="0 to 1.414",
        explanation="How far the model's probabilities are from the given label.",
        source=PAUL,
        long_tailed=True,
    ),
    Score(
        name="grand",
        title="GraNd",
        formula="‖∇_w ℓ(x, y; w)‖₂ over all trainable parameters",
        latex=r"\lVert \nabla_w\, \ell(x, y; w) \rVert_2",
        worst="high",
        direction="higher = harder",
        range=(0.0, None),
        range_text="0 and up",
        explanation="How strongly this one example would move the whole model.",
        source=PAUL,
        long_tailed=True,
    ),
    Score(
        name="grand_head",
        title="GraNd (classifier)",
        formula="‖∇ ℓ(x, y; w)‖₂ over the classifier's parameters only",
        latex=r"\lVert \nabla_{w_\text{classifier}}\, \ell(x, y; w) \rVert_2",
        worst="high",
        direction="higher = harder",
        range=(0.0, None),
        range_text="0 and up",
        explanation="How strongly this one example would move the new classification layer.",
        source=FAYYAZ,
        long_tailed=True,
    ),
    Score(
        name="loss",
        title="Loss",
        formula="−log p_y",
        latex=r"-\log p_y",
        worst="high",
        direction="higher = harder",
        range=(0.0, None),
        range_text="0 and up",
        explanation="Cross-entropy: how surprised the model is by the given label.",
        source=PAUL,
        long_tailed=True,
    ),
    Score(
        name="margin",
        title="Margin",
        formula="z_y − max z_k over the other classes k",
        latex=r"z_y - \max_{k \neq y} z_k",
        worst="low",
        direction="lower = suspect",
        range=(None, None),
        range_text="any number",
        explanation="Lead of the given label over the strongest other one, before the softmax; below 0 they disagree.",
        source=PLEISS,
    ),
    Score(
        name="entropy",
        title="Entropy",
        formula="−Σ p log p",
        latex=r"-\sum_k p_k \log p_k",
        worst="high",
        direction="higher = more ambiguous to the model",
        range=(0.0, None),
        range_text="0 to log K (K classes)",
        explanation="How undecided the model is, whatever the given label says.",
        source=FAYYAZ,
        long_tailed=True,
    ),
    Score(
        name="p_label",
        title="Probability of the label",
        formula="p_y",
        latex=r"p_y",
        worst="low",
        direction="lower = harder",
        range=(0.0, 1.0),
        range_text="0 to 1",
        explanation="The probability that the model gives to the given label.",
        source=FAYYAZ,
    ),
    Score(
        name="confidence",
        title="Confidence",
        formula="mean over checkpoints of p_y",
        latex=r"\mu = \frac{1}{T} \sum_t p_y^{(t)}",
        worst="low",
        direction="lower = harder to learn",
        range=(0.0, 1.0),
        range_text="0 to 1",
        explanation="The probability of the given label, averaged over the training so far.",
        source=SWAYAMDIPTA,
        span="training",
    ),
    Score(
        name="variability",
        title="Variability",
        formula="population standard deviation over checkpoints of p_y",
        latex=r"\sqrt{\frac{1}{T} \sum_t (p_y^{(t)} - \mu)^2}",
        worst="high",
        direction="higher = more ambiguous",
        range=(0.0, 0.5),
        range_text="0 to 0.5",
        explanation="How much the probability of the given label went up and down during the training so far.",
        source=SWAYAMDIPTA,
        span="training",
    ),
    Score(
        name="correctness",
        title="Correctness",
        formula="share of checkpoints where argmax z = y",
        latex=r"\frac{1}{T} \left|\{ t : \arg\max_k z_k^{(t)} = y \}\right|",
        worst="low",
        direction="lower = harder to learn",
        range=(0.0, 1.0),
        range_text="0 to 1",
        explanation="How often the prediction was the given label during the training so far.",
        source=SWAYAMDIPTA,
        span="training",
    ),
    Score(
        name="forgetting",
        title="Forgetting",
        formula="number of changes from argmax z = y to argmax z ≠ y between checkpoints",
        latex=r"\left|\{ t : \arg\max_k z_k^{(t)} = y,\ \arg\max_k z_k^{(t+1)} \neq y \}\right|",
        worst="high",
        direction="higher = more often forgotten",
        range=(0.0, None),
        range_text="0 to half the checkpoints",
        explanation="How many times the model unlearned the given label; an example that was never learned counts 0.",
        source=TONEVA,
        span="training",
    ),
    Score(
        name="aum",
        title="AUM",
        formula="mean over checkpoints of z_y − max z_k over the other classes k",
        latex=r"\frac{1}{T} \sum_t \left( z_y^{(t)} - \max_{k \neq y} z_k^{(t)} \right)",
        worst="low",
        direction="lower = suspect",
        range=(None, None),
        range_text="any number",
        explanation="Area under the margin: the lead of the given label, averaged over the training so far.",
        source=PLEISS,
        span="training",
    ),
    Score(
        name="self_influence",
        title="Self-influence",
        formula="Σ over checkpoints of learning rate · GraNd (classifier)²",
        latex=r"\sum_t \eta_t \, \text{GraNd}_\text{classifier}^{(t)\,2}",
        worst="high",
        direction="higher = more memorised",
        range=(0.0, None),
        range_text="0 and up",
        explanation="How much training on this one example lowered its own loss (TracIn on the last layer).",
        source=PRUTHI,
        span="training",
        long_tailed=True,
    ),
)
_BY_NAME = {score.name: score for score in SCORES}
SCORE_NAMES: tuple[str, ...] = tuple(_BY_NAME)
RECORDED_NAMES: tuple[str, ...] = tuple(entry.name for entry in SCORES if entry.span == "checkpoint")
"""Scores of one checkpoint, which score files hold."""
TRAINING_NAMES: tuple[str, ...] = tuple(entry.name for entry in SCORES if entry.span == "training")
"""Scores over the training so far, which follow from the score files of a seed."""
PAPER_NAMES = ("el2n", "grand", "grand_head")
"""The scores of the two papers that the program is about."""
GROUP_PREFIX = "grand."
"""Columns of score files that hold the gradient norm of one group of parameters: grand.embeddings, grand.layer 0, …"""
DEFAULT_SCORE = "el2n"
DEFAULT_CHECKPOINT = 1.0

BINARY_NOTE = (
    "With two classes EL2N, loss, margin and the probability of the label rank the examples of one checkpoint "
    "identically. They are one witness, not four."
)
STEP_ZERO_NOTE = (
    "Not reliable: before the first training step scores measure the input's norm, not its importance "
    "(Kirsch 2023, arXiv 2303.14753)."
)
EARLY_NOTE = "Early: scores need about one epoch to settle (arXiv 2211.05610)."


def score(name: str) -> Score:
    """The catalogue's entry of a score; NotFoundError names the ones there are."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise NotFoundError(f"There is no score named {name!r}.", f"Choose one of: {', '.join(SCORE_NAMES)}.") from None


def checkpoint_note(checkpoint: float) -> str | None:
    """The caution that belongs to a checkpoint (in epochs), or None."""
    if checkpoint <= 0:
        return STEP_ZERO_NOTE
    return EARLY_NOTE if checkpoint < 1 else None


def checkpoint_title(checkpoint: float) -> str:
    """A checkpoint in words, such as "before training", "¼ epoch" or "after epoch 2"."""
    if checkpoint <= 0:
        return "before training"
    if float(checkpoint).is_integer():
        return f"after epoch {int(checkpoint)}"
    return f"at epoch {checkpoint:.10g}"
