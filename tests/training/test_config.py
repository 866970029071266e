"""Settings of a run: limits, checkpoints and their steps."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.errors import BadInputError
from diet_explorer.training.config import RunConfig, default_checkpoints, parse_checkpoints


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("epochs", 0, "epochs is 0"),
        ("epochs", 2.5, "epochs is 2.5"),
        ("seeds", 0, "seeds is 0"),
        ("batch_size", -1, "batch size is -1"),
        ("max_length", 3, "max length is 3"),
        ("learning_rate", 0.0, "learning rate is 0.0"),
        ("learning_rate", float("nan"), "learning rate is nan"),
        ("grand", "some", "GraNd mode 'some' does not exist"),
        ("checkpoints", (), "No checkpoint is listed"),
        ("checkpoints", (0, 4), "checkpoint is 4"),
        ("checkpoints", (-1,), "checkpoint is -1"),
        ("model", " ", "No model is named"),
        ("diet", 0, "diet is 0"),
        ("diet", 1.5, "diet is 1.5"),
    ],
)
def test_a_setting_out_of_range_is_named(setting, value, message):
    with pytest.raises(BadInputError, match=message) as caught:
        RunConfig("d", **{setting: value}).validated()
    assert caught.value.remedy


def test_a_diet_is_scored_at_the_ends_of_its_epochs_and_has_steps_of_its_own():
    with pytest.raises(BadInputError, match=r"checkpoint 1\.5 is within an epoch"):
        RunConfig("d", diet=0.5, checkpoints=(0.5, 1.5)).validated()
    with pytest.raises(BadInputError, match="exclude each other"):
        RunConfig("d", diet=0.5, max_steps=90).validated()
    assert RunConfig("d", diet=0.5).validated().passes == 2.0
    assert RunConfig("d").validated().passes == 3.0


def test_checkpoints_are_sorted_and_distinct():
    assert RunConfig("d", checkpoints=(2, 0.5, 0.5, 0)).validated().checkpoints == (0.0, 0.5, 2.0)
    assert default_checkpoints(2) == (0.0, 0.25, 0.5, 1.0, 2.0)
    assert parse_checkpoints(" 0, .25;1,") == (0.0, 0.25, 1.0)
    with pytest.raises(BadInputError, match="checkpoint 'x' is not a number"):
        parse_checkpoints("0,x")


@given(st.integers(1, 500), st.integers(1, 64), st.integers(1, 5))
def test_every_checkpoint_has_its_step(rows, batch_size, epochs):
    config = RunConfig("d", epochs=epochs, batch_size=batch_size, checkpoints=default_checkpoints(epochs)).validated()
    per_epoch, total = config.steps(rows)
    assert per_epoch == -(-rows // batch_size) and total == per_epoch * epochs
    steps = config.checkpoint_steps(rows)
    assert sorted(point for points in steps.values() for point in points) == list(config.checkpoints)
    assert 0.0 in steps[0]
    for epoch in range(1, epochs + 1):
        assert float(epoch) in steps[epoch * per_epoch]
    assert max(steps) == total


def test_json_round_trip_forgives_newer_keys():
    config = RunConfig("d", seeds=4, learning_rate=1e-4).validated()
    assert RunConfig.from_json({**config.to_json(), "unheard_of": 1}) == config


@pytest.mark.parametrize("given", ["0,1", ("0", "1"), (None,)])
def test_checkpoints_that_are_no_numbers(given):
    with pytest.raises(BadInputError, match="The checkpoints are") as caught:
        RunConfig("d", checkpoints=given).validated()
    assert "List numbers" in caught.value.remedy


def test_epochs_that_are_no_number_are_named():
    with pytest.raises(BadInputError, match="The setting epochs is '3'"):
        RunConfig("d", epochs="3", checkpoints=default_checkpoints("3")).validated()


def test_numbers_of_numpy_are_settings_too():
    settings = {"epochs": np.int64(2), "seeds": np.int32(1), "learning_rate": np.float32(0.5)}
    given = RunConfig("d", **settings, checkpoints=np.array([1.0])).validated()
    assert given == RunConfig("d", epochs=2, seeds=1, learning_rate=0.5, checkpoints=(1,)).validated()
    json.dumps(given.to_json())
