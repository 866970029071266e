"""`DietCallback`: one line that lets each epoch train on the examples that matter."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import ceil
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.utils.data import DataLoader
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import DefaultFlowCallback, ExportableState

from diet_explorer.errors import BadInputError, ModelError
from diet_explorer.scoring import metrics
from diet_explorer.scoring.diet_choice import DietChoice, hardest, rescaled, sizes
from diet_explorer.scoring.diet_loader import DietSampler, batches_of, classes_of
from diet_explorer.scoring.gradients.frozen_model import unwrap
from diet_explorer.scoring.gradients.outputs import logits_of
from diet_explorer.scoring.isolation import kept_state, same_random_numbers
from diet_explorer.scoring.own_checks import check_labels, check_problem, check_set_up

Scoring = Literal["training", "pass"]


class DietCallback(TrainerCallback, ExportableState):
    """Trains each epoch on the examples that matter by the EL2N of the epoch before.

    Add it to any `transformers.Trainer`. The first epoch sees every example; from then on an epoch trains on the share
    `keep` with the highest scores, without the very highest, which are mostly noise. The learning rate follows the
    epochs as planned, and an epoch counts as many steps as without the callback, however few it takes, so that
    logging, saving, evaluation and resuming go on as usual. With ``keep=1`` order of examples and weights are bit for
    bit those of plain training. A training that is resumed from a checkpoint goes on exactly.

    To have all scores of all examples recorded on the way, add a `ScoreRecorder` too.

    Parameters
    ----------
    keep : float
        Share of the examples that an epoch trains on, above 0 and at most 1.
    every : int
        The choice is made anew every so many epochs.
    drop_hardest : float
        Per cent of all examples that are left out at the top, as far as `keep` leaves room.
    first_epochs : int
        So many epochs see every example before the first choice: scores of early training order badly.
    scores : {"training", "pass"}
        "training" takes each example's EL2N from the training's own forward pass, which costs nothing; an example that
        is left out keeps the score that it had. "pass" scores every example after the epoch, without dropout and with
        fixed weights, for the price of a forward pass.
    rescale : bool
        Instead of the easiest, drop easy examples at random and let the others count for them (InfoBatch), so that the
        expected gradient stays the same. The way to go where many labels are wrong: with 20 % flipped, single
        trainings on the hardest half collapsed (docs/does-pruning-help.md).

    Attributes
    ----------
    el2n : ndarray (N,) of float32
        Latest score of each training example, by its place in ``train_dataset``; NaN where there is none yet.
    kept : ndarray (N,) of bool
        The examples of the current epoch.

    Raises
    ------
    BadInputError
        A setting out of range.
    ModelError
        When the training begins: several processes or devices, data without a length or places, several labels per
        text, a compiled model with ``scores="training"``.

    References
    ----------
    Paul et al. 2021 (arXiv 2107.07075), NLU on Data Diets (arXiv 2306.03208), InfoBatch (arXiv 2303.04947).

    Examples
    --------
    >>> trainer.add_callback(DietCallback(keep=0.5))  # doctest: +SKIP
    """

    def __init__(
        self,
        keep: float = 0.5,
        every: int = 1,
        *,
        drop_hardest: float = 2.0,
        first_epochs: int = 1,
        scores: Scoring = "training",
        rescale: bool = False,
    ) -> None:
        _check("keep", keep, lambda given: 0 < given <= 1, "above 0 and at most 1")
        _check("every", every, lambda given: given >= 1, "1 or more")
        _check("drop_hardest", drop_hardest, lambda given: 0 <= given < 100, "from 0 to below 100")
        _check("first_epochs", first_epochs, lambda given: given >= 1, "1 or more")
        _check("scores", scores, lambda given: given in ("training", "pass"), "'training' or 'pass'")
        self._settings = {
            "keep": keep,
            "every": every,
            "drop_hardest": drop_hardest,
            "first_epochs": first_epochs,
            "scores": scores,
            "rescale": rescale,
        }
        self._keep, self._every, self._drop_hardest = keep, every, drop_hardest
        self._first_epochs, self._scoring, self._rescale = first_epochs, scores, rescale
        self._taken = 0  # steps, where the Trainer also counts those that are left out
        self._logged = (0, 0)  # steps and steps taken when a loss was last logged
        self._release: list[Callable[[], None]] = []
        self._seen: list[tuple[NDArray[np.int64], Tensor]] = []
        self.el2n: NDArray[np.float32] = np.empty(0, dtype=np.float32)
        self._choice = DietChoice(np.empty(0, dtype=np.bool_))

    @property
    def kept(self) -> NDArray[np.bool_]:
        """The examples of the current epoch, shape (N,)."""
        return self._choice.kept

    def state(self) -> dict[str, Any]:
        """What the Trainer's checkpoints keep: settings, scores so far, and the choice of this epoch."""
        self._take_scores()
        weights = self._choice.weights
        return {
            "args": self._settings,
            "attributes": {
                "packed": {
                    "examples": self.el2n.size,
                    "el2n": _packed(self.el2n),
                    "kept": _packed(np.packbits(self.kept)),
                    "weights": None if weights is None else _packed(weights),
                }
            },
        }

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        train_dataloader: Any = None,
        lr_scheduler: Any = None,
        **keywords: Any,
    ) -> None:
        """Check that the training can go on a diet, take up what a checkpoint kept, and stand before the sampler."""
        self._let_go()
        check_set_up(args, model)
        check_problem(model)
        check_labels(args, train_dataloader)
        batches = batches_of(args, train_dataloader)
        if args.torch_compile and (self._scoring == "training" or self._rescale):
            raise ModelError(
                "DietCallback cannot look into the forward pass of a compiled model.",
                'Give scores="pass" and rescale=False, or train without torch_compile.',
            )
        examples = train_dataloader.dataset
        self._labels = classes_of(examples)
        self._batch = int(batches.batch_size)
        self._per_step = self._batch * args.gradient_accumulation_steps
        self._whole_steps = args.gradient_accumulation_steps > 1 or batches.drop_last
        self._epoch_steps = ceil(len(train_dataloader) / args.gradient_accumulation_steps)
        self._scheduler = lr_scheduler
        self._loader = train_dataloader
        self._seed = args.seed if args.data_seed is None else args.data_seed
        kept = kept_state(state).get(type(self).__name__) if state.global_step else None
        self._take_up(kept, len(examples))
        self._order: list[int] = []
        self._place = 0
        self._steps = 0
        self._taken = state.global_step
        self._logged = (state.global_step, self._taken)
        self._sampler: Any = batches.sampler
        batches.sampler = DietSampler(batches.sampler, self.order)
        self._release.append(lambda: setattr(batches, "sampler", self._sampler))
        if self._scoring == "training" or self._rescale:
            self._release.append(model.register_forward_hook(self._after_forward).remove)
        state.stateful_callbacks = {**kept_state(state), type(self).__name__: self.state()}  # type: ignore[assignment]

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **keywords: Any
    ) -> None:
        """Choose the examples of an epoch that begins; one that is gone on with has its choice."""
        epoch, done = divmod(state.global_step, self._epoch_steps)
        self._epoch = epoch
        self._steps = done
        self._order.clear()
        self._place = done * self._per_step
        with suppress(AttributeError):  # a sampler without epochs
            self._sampler.set_epoch(epoch)
        if done or epoch < self._first_epochs or (epoch - self._first_epochs) % self._every:
            return
        self._take_scores()
        if self._scoring == "pass" and self._keep < 1:
            with same_random_numbers():
                self._score(model, args.device)
        self._choice = self._chosen(epoch)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **keywords: Any,
    ) -> None:
        """Let learning rate and step follow the epoch where it has fewer steps than it would have."""
        self._steps += 1
        self._taken += 1
        steps = ceil(self._choice.size / self._per_step)
        if steps >= self._epoch_steps:
            return
        start = self._epoch * self._epoch_steps
        now = start + self._steps * self._epoch_steps / steps
        ends = self._steps == steps or now >= state.max_steps
        before = state.global_step
        if ends:
            state.global_step = min(start + self._epoch_steps, state.max_steps)
            now = state.global_step
        state.epoch = now / self._epoch_steps
        self._set_rate(now)
        if ends:
            _as_if_stepped(args, state, control, before)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **keywords: Any
    ) -> None:
        """Make the mean losses those of the steps that were taken."""
        logs = {} if logs is None else logs
        counted = {
            "loss": (state.global_step - self._logged[0], self._taken - self._logged[1]),
            "train_loss": (state.global_step, self._taken),
        }
        for name, (steps, taken) in counted.items():
            if name in logs and taken not in (0, steps):
                logs[name] *= steps / taken
                state.log_history[-1][name] = logs[name]
        if "loss" in logs:
            self._logged = (state.global_step, self._taken)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **keywords: Any
    ) -> None:
        """Give the Trainer its sampler back."""
        self._take_scores()
        self._let_go()

    def order(self, indices: Iterator[int]) -> Iterator[int]:
        """Those of the indices that this epoch trains on, in the same order; remembers them for the scores."""
        kept = self._choice.kept
        for index in indices:
            if kept[index]:
                self._order.append(index)
                yield index

    def _take_up(self, kept: Any, examples: int) -> None:
        """Begin with what a checkpoint kept, or with every example and no score."""
        packed = kept["attributes"]["packed"] if isinstance(kept, dict) else None
        if packed is not None and packed["examples"] != examples:
            raise BadInputError(
                f"The checkpoint was written by a training on {packed['examples']:,} examples; this one has "
                f"{examples:,}.",
                "Go on with the same training data, or train from the start.",
            )
        self._seen.clear()
        if packed is None:
            self.el2n = np.full(examples, np.nan, dtype=np.float32)
            self._choice = DietChoice(np.ones(examples, dtype=np.bool_))
            return
        self.el2n = _unpacked(packed["el2n"], np.float32).copy()
        weights = packed["weights"]
        self._choice = DietChoice(
            np.unpackbits(_unpacked(packed["kept"], np.uint8), count=examples).astype(np.bool_),
            None if weights is None else _unpacked(weights, np.float32),
        )

    def _chosen(self, epoch: int) -> DietChoice:
        multiple = self._per_step if self._whole_steps else 1
        kept, left_out = sizes(self.el2n.size, self._keep, self._drop_hardest, multiple)
        if kept == self.el2n.size:
            return DietChoice(np.ones(kept, dtype=np.bool_))
        if self._rescale:
            return rescaled(self.el2n, kept, left_out, np.random.default_rng((self._seed, epoch)))
        return hardest(self.el2n, kept, left_out)

    def _after_forward(self, module: Any, inputs: Any, output: Any) -> None:
        """Take the scores of a training batch from its logits, and weigh their gradients."""
        if not (module.training and torch.is_grad_enabled()):
            return
        logits = logits_of(module, output)
        rows = np.array(self._order[self._place : self._place + len(logits)], dtype=np.int64)
        self._place += len(logits)
        self._seen.append((rows, logits.detach()))
        weights = self._choice.weights
        if weights is not None and logits.requires_grad:
            factor = torch.from_numpy(weights[rows]).to(logits.device)[:, None]
            logits.register_hook(lambda gradient: gradient * factor.to(gradient.dtype))  # type: ignore[no-untyped-call]

    def _take_scores(self) -> None:
        """EL2N of what was seen since; the logits wait on their device until then, so that no step waits for them."""
        for rows, logits in self._seen:
            self.el2n[rows] = metrics.el2n(logits.float().cpu().numpy(), self._labels[rows])
        self._seen.clear()

    def _score(self, model: Any, device: torch.device) -> None:
        """EL2N of every example with the weights as they are, without dropout."""
        whole = unwrap(model)
        loader = DataLoader(
            self._loader.dataset, batch_size=2 * self._batch, collate_fn=self._loader.collate_fn, shuffle=False
        )
        was_training = whole.training
        whole.eval()
        start = 0
        try:
            with torch.no_grad():
                for batch in loader:
                    inputs = {name: value.to(device) for name, value in batch.items()}
                    logits = logits_of(whole, whole(**inputs)).float().cpu().numpy()
                    rows = slice(start, start + len(logits))
                    self.el2n[rows] = metrics.el2n(logits, self._labels[rows])
                    start += len(logits)
        finally:
            whole.train(was_training)

    def _set_rate(self, now: float) -> None:
        """Put the learning rate where plain training has it at this part of the epoch."""
        scheduler = self._scheduler
        if isinstance(scheduler, LRScheduler) and not isinstance(scheduler, ReduceLROnPlateau):
            scheduler.last_epoch = cast(int, now - 1)
            scheduler.step()

    def _let_go(self) -> None:
        while self._release:
            self._release.pop()()


def _check(name: str, value: Any, holds: Callable[[Any], bool], words: str) -> None:
    fine = False
    with suppress(TypeError):  # what is no number is not in the range either
        fine = holds(value)
    if not fine:
        raise BadInputError(f"DietCallback's {name} must be {words}, not {value!r}.", f"Give {name} a value {words}.")


def _as_if_stepped(args: TrainingArguments, state: TrainerState, control: TrainerControl, before: int) -> None:
    """Ask for what the Trainer would have done at one of the steps that are not taken: log, evaluate, save, stop."""
    now = state.global_step
    DefaultFlowCallback().on_step_end(args, state, control)
    crossed = {
        "should_log": args.logging_strategy == "steps" and _crosses(before, now, state.logging_steps),
        "should_evaluate": args.eval_strategy == "steps" and _crosses(before, now, state.eval_steps),
        "should_save": args.save_strategy == "steps" and _crosses(before, now, state.save_steps),
    }
    for name, asked in crossed.items():
        setattr(control, name, getattr(control, name) or asked)


def _crosses(before: int, now: int, every: Any) -> bool:
    return bool(every) and now // every > before // every


def _packed(values: NDArray[Any]) -> str:
    return base64.b64encode(zlib.compress(values.tobytes(), 1)).decode("ascii")


def _unpacked(text: str, kind: type[np.generic]) -> NDArray[Any]:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=kind)
