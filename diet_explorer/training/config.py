"""What a run is asked to do. Imports no torch, since the browser app and the command line read it too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite
from numbers import Real
from typing import Any, Literal, cast, get_args

from diet_explorer.errors import BadInputError

BUNDLED = "bundled"
GradientMode = Literal["all", "head", "off"]
MAX_SEEDS = 100
MAX_EPOCHS = 1000
MAX_STEPS = 1_000_000_000
MAX_MEMORY_GB = 100_000
NEEDS = ("gpu", "memory_gb")
"""Settings that say where a run may be trained; its results do not depend on them."""
CHECKPOINT_DIGITS = 4


def default_checkpoints(epochs: int) -> tuple[float, ...]:
    """Where scores are taken by default: before training, at ¼ and ½ epoch, then after every epoch."""
    # More, and what is no number, are refused where the settings are checked, if there is memory left by then.
    last = min(epochs, MAX_EPOCHS) if isinstance(epochs, int) else 0
    return (0.0, 0.25, 0.5, *(float(epoch) for epoch in range(1, last + 1)))


@dataclass(frozen=True)
class RunConfig:
    """Settings of a run.

    Attributes
    ----------
    dataset_id : str
    model : str
        ``bundled``, a local folder, or a Hub id.
    epochs, seeds : int
        Passes over the training split, the last of which may be cut short (`ends_at`); independent repetitions, seeded
        0, 1, … (from `first_seed` on).
    checkpoints : tuple of float
        Moments, in epochs, at which every example is scored; 0 is before training.
    grand : {"all", "head", "off"}
        Gradient norms over all trainable parameters, over the classifier only, or none.
    batch_size, max_length : int
        Examples per training step; longest input in tokens, the rest is cut off.
    learning_rate, weight_decay, warmup_share : float
        AdamW with linear decay after a warm-up over this share of the steps.
    own_rows : bool
        The run has a list of its own, for each seed, of the rows it is trained on and their labels (`store.rows`);
        otherwise it is the training split as imported.
    max_steps : int or None
        Optimisation steps in all, whatever the number of training rows; `epochs` are then equal parts of them.
    ranked : bool
        Whether rankings, statistics and embeddings are made, so that people can browse the scores.
    first_seed : int
        The first of the run's seeds.
    ends_at : float or None
        Where the training ends, in epochs, if that is within an epoch.
    diet : float
        Share of the training rows, those with the highest EL2N but for the very highest, that each epoch after the
        first trains on; 1 for all (see `scoring.diet.DietCallback`).
    gpu : bool
        Whether only a worker that has a GPU may train it.
    memory_gb : int
        So many gigabytes of memory its worker must have; 0 for any.
    """

    dataset_id: str
    model: str = BUNDLED
    epochs: int = 3
    seeds: int = 1
    checkpoints: tuple[float, ...] = default_checkpoints(3)
    grand: GradientMode = "all"
    batch_size: int = 32
    max_length: int = 128
    learning_rate: float = 5e-5
    weight_decay: float = 0.01
    warmup_share: float = 0.06
    own_rows: bool = False
    max_steps: int | None = None
    ranked: bool = True
    first_seed: int = 0
    ends_at: float | None = None
    diet: float = 1.0
    gpu: bool = False
    memory_gb: int = 0

    @property
    def end(self) -> float:
        """Where the training ends, in epochs."""
        return float(self.epochs) if self.ends_at is None else self.ends_at

    @property
    def seed_numbers(self) -> range:
        """The run's seeds."""
        return range(self.first_seed, self.first_seed + self.seeds)

    def validated(self) -> RunConfig:
        """The same settings for a job, which trains whole epochs, with sorted, distinct checkpoints.

        Numbers and arrays of numpy become those of Python. BadInputError names one that is out of its range.
        """
        plain = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in vars(self).items()}
        if any(plain[name] is not value for name, value in vars(self).items()):
            return RunConfig(**plain).validated()
        if not self.model.strip():
            raise BadInputError("No model is named.", "Give `bundled`, a local folder, or a Hub id.")
        _whole("epochs", self.epochs, 1, MAX_EPOCHS)
        _whole("seeds", self.seeds, 1, MAX_SEEDS)
        _whole("first seed", self.first_seed, 0, MAX_SEEDS)
        _whole("batch size", self.batch_size, 1, 4096)
        _whole("max length", self.max_length, 4, 100_000)
        _real("learning rate", self.learning_rate, 0.0, 1.0, open_low=True)
        if self.max_steps is not None:
            _whole("steps", self.max_steps, self.epochs, MAX_STEPS)
        _real("weight decay", self.weight_decay, 0.0, 1.0)
        _real("warm-up share", self.warmup_share, 0.0, 1.0)
        _whole("memory in GB", self.memory_gb, 0, MAX_MEMORY_GB)
        if self.grand not in get_args(GradientMode):
            raise BadInputError(f"The GraNd mode {self.grand!r} does not exist.", "Choose all, head or off.")
        points = checked_checkpoints(self.checkpoints, float(self.epochs))
        _real("diet", self.diet, 0.0, 1.0, open_low=True)
        between = [point for point in points if point > 1 and not point.is_integer()]
        if self.diet < 1 and between:
            raise BadInputError(
                f"The checkpoint {between[0]:g} is within an epoch that trains on a part of the examples.",
                "On a diet, list ends of epochs after epoch 1, such as 0,0.5,1,2,3.",
            )
        if self.diet < 1 and self.max_steps is not None:
            raise BadInputError("A number of steps and a diet exclude each other.", "Give one of them.")
        return RunConfig(**{**self.__dict__, "checkpoints": points, "model": self.model.strip(), "ends_at": None})

    def steps(self, train_rows: int) -> tuple[float, int]:
        """Optimisation steps per epoch and in all."""
        if self.max_steps is not None:
            return self.max_steps / self.epochs, self.max_steps
        per_epoch = -(-train_rows // self.batch_size)
        return per_epoch, per_epoch * self.epochs

    @property
    def passes(self) -> float:
        """How often the training split is passed, epochs on a diet as the share that they train on."""
        return 1 + (self.epochs - 1) * self.diet

    def checkpoint_steps(self, train_rows: int) -> dict[int, list[float]]:
        """Optimisation step to the checkpoints (in epochs) taken after it; step 0 is before training."""
        per_epoch, total = self.steps(train_rows)
        return steps_of_checkpoints(self.checkpoints, per_epoch, total)

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON document."""
        return {**asdict(self), "checkpoints": list(self.checkpoints)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> RunConfig:
        """Read what `to_json` wrote."""
        known = {field.name for field in fields(cls)}
        values = {key: entry for key, entry in value.items() if key in known}
        return cls(**{**values, "checkpoints": tuple(cast(Sequence[float], value["checkpoints"]))})


def checked_checkpoints(checkpoints: Sequence[float], end: float) -> tuple[float, ...]:
    """Moments in epochs, sorted and distinct; BadInputError where there is none, or one after the training's end."""
    if isinstance(checkpoints, str) or not all(isinstance(point, Real) for point in checkpoints):
        raise BadInputError(f"The checkpoints are {checkpoints!r}.", "List numbers of epochs, such as (0, 0.5, 1).")
    if not checkpoints:
        raise BadInputError("No checkpoint is listed.", "List at least one, such as 1 for the end of epoch 1.")
    points = sorted({round(float(point), CHECKPOINT_DIGITS) if isfinite(point) else point for point in checkpoints})
    for point in points:
        _real("checkpoint", point, 0.0, round(end, CHECKPOINT_DIGITS))
    return tuple(points)


def steps_of_checkpoints(points: Sequence[float], per_epoch: float, total: int) -> dict[int, list[float]]:
    """Optimisation step to the checkpoints (in epochs) taken after it, of a training of `total` steps.

    A fraction of an epoch is rounded to the nearest step after the start, so that on a very small set several may share
    one.
    """
    after: dict[int, list[float]] = {}
    for point in points:
        step = max(1, round(point * per_epoch)) if point > 0 else 0
        after.setdefault(min(step, total), []).append(point)
    return after


def parse_checkpoints(text: str) -> tuple[float, ...]:
    """Read a list such as ``0, 0.25, 1``; BadInputError names an entry that is not a number."""
    points = []
    for entry in text.replace(";", ",").split(","):
        if not entry.strip():
            continue
        try:
            points.append(float(entry))
        except ValueError:
            raise BadInputError(
                f"The checkpoint {entry.strip()!r} is not a number.",
                "List epochs and fractions, such as 0,0.25,0.5,1,2,3.",
            ) from None
    return tuple(points)


def _whole(name: str, value: int, low: int, high: int) -> None:
    if not isinstance(value, int) or not low <= value <= high:
        raise BadInputError(f"The setting {name} is {value!r}.", f"Give a whole number from {low:,} to {high:,}.")


def _real(name: str, value: float, low: float, high: float, *, open_low: bool = False) -> None:
    if not isinstance(value, Real) or not isfinite(value) or value < low or value > high or (open_low and value == low):
        least = "above" if open_low else "from"
        raise BadInputError(f"The setting {name} is {value!r}.", f"Give a number {least} {low:g} to {high:g}.")
