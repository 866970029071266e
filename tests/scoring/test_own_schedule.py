"""When a training of one's own is scored: epochs as its data loader has them, whatever the Trainer calls an epoch."""

from types import SimpleNamespace

import pytest

from diet_explorer.errors import BadInputError
from diet_explorer.scoring.own_schedule import MOST_EPOCH_ENDS, OwnSchedule
from diet_explorer.scoring.recorder import examples_per_step


def schedule(max_steps, batches, *, accumulation=1, processes=1, rows=60, batch=8):
    args = SimpleNamespace(train_batch_size=batch, gradient_accumulation_steps=accumulation, world_size=processes)
    state = SimpleNamespace(max_steps=max_steps, train_batch_size=batch)
    return OwnSchedule.of(args, state, object() if batches is None else range(batches), rows)


@pytest.mark.parametrize(
    ("max_steps", "batches", "more", "expected"),
    [
        (3, 8, {}, {0.0: 0, 0.25: 2, 0.375: 3}),
        (4, 8, {}, {0.0: 0, 0.25: 2, 0.5: 4}),
        (20, 8, {}, {0.0: 0, 0.25: 2, 0.5: 4, 1.0: 8, 2.0: 16, 2.5: 20}),
        (16, None, {}, {0.0: 0, 0.25: 2, 0.5: 4, 1.0: 8, 2.0: 16}),  # as many rows as the set trains on are an epoch
        (6, None, {"accumulation": 2, "processes": 2}, {0.0: 0, 0.5: 1, 1.0: 2, 2.0: 4, 3.0: 6}),
        (3, 8, {"accumulation": 3}, {0.0: 0, 0.25: 1, 0.5: 2, 1.0: 3}),
        (2, 1, {}, {0.0: 0, 1.0: 1, 2.0: 2}),  # never ¼ of an epoch before the first step
    ],
)
def test_what_is_called_epoch_n_is_taken_after_n_epochs(max_steps, batches, more, expected):
    made = schedule(max_steps, batches, **more)
    steps = made.steps(made.checkpoints(None))
    assert {point: step for step, points in steps.items() for point in points} == expected
    assert made.estimated == (batches is None)


def test_of_very_many_epochs_not_all_are_scored_and_the_last_step_is():
    made = schedule(5000 * 2 + 1, 2)
    points = made.checkpoints(None)
    assert len(points) <= MOST_EPOCH_ENDS + 4 and points[-1] == 5000.5
    assert max(made.steps(points)) == 10_001
    with pytest.raises(BadInputError, match=r"checkpoint 2 comes after the end of the training, at epoch 0.375"):
        schedule(3, 8).checkpoints((0, 2))
    assert schedule(3, 8).checkpoints((0.375, 0)) == (0.0, 0.375)


def test_a_step_has_the_examples_of_every_accumulated_batch_and_process():
    args = SimpleNamespace(train_batch_size=8, gradient_accumulation_steps=3, world_size=2)
    assert examples_per_step(args, SimpleNamespace(train_batch_size=None)) == 48
    assert examples_per_step(args, SimpleNamespace(train_batch_size=4)) == 24  # found by auto_find_batch_size
