"""`DietCallback` in somebody's own Trainer script: plain training bit for bit, the right examples, exact resuming."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from diet_explorer import DietCallback, ScoreRecorder, Workspace
from diet_explorer.errors import BadInputError, ModelError
from diet_explorer.scoring.diet_choice import MOST_DROPPED, hardest, rescaled, sizes
from tests.tiny_runs import save_sentences

EXAMPLES, BATCH = 48, 8
EPOCH = EXAMPLES // BATCH


@pytest.fixture(scope="module")
def data(tmp_path_factory, model):
    workspace = Workspace(tmp_path_factory.mktemp("diet") / "workspace")
    dataset = workspace.import_dataset(
        save_sentences(tmp_path_factory.mktemp("data") / "s.csv", EXAMPLES), text="sentence", label="mood", id="key"
    )
    tokenizer = AutoTokenizer.from_pretrained(model)
    frame = dataset.examples()
    rows = [
        {**tokenizer(text, truncation=True, max_length=16), "labels": dataset.classes.index(label), "place": place}
        for place, (text, label) in enumerate(zip(frame["text"], frame["label"], strict=True))
    ]
    return workspace, dataset, model, tokenizer, rows


class Watched(Trainer):
    """Notes places, labels and logits of every training batch, and the learning rate it is trained with."""

    def __init__(self, *args, **keywords):
        super().__init__(*args, **keywords)
        self.batches = []

    def compute_loss(self, model, inputs, return_outputs=False, **keywords):
        places = inputs.pop("place").tolist()
        loss, outputs = super().compute_loss(model, inputs, return_outputs=True, **keywords)
        if model.training:
            rate = self.optimizer.param_groups[0]["lr"]
            epoch = self.state.global_step // EPOCH
            self.batches.append((epoch, places, inputs["labels"].tolist(), outputs.logits.detach().numpy(), rate))
        return (loss, outputs) if return_outputs else loss

    def places(self, epoch):
        return [place for here, places, *_ in self.batches if here == epoch for place in places]


def trainer_of(data, folder, *callbacks, seed=3, rows=None, **arguments):
    _, _, path, tokenizer, examples = data
    set_seed(seed)
    given = {"num_train_epochs": 3, "save_strategy": "no", **arguments}
    return Watched(
        model=AutoModelForSequenceClassification.from_pretrained(path, num_labels=2),
        args=TrainingArguments(
            output_dir=str(folder),
            per_device_train_batch_size=BATCH,
            learning_rate=1e-3,
            seed=seed,
            logging_steps=1,
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            remove_unused_columns=False,
            **given,
        ),
        train_dataset=examples if rows is None else rows,
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
        callbacks=list(callbacks),
    )


def trained(data, folder, *callbacks, **arguments):
    trainer = trainer_of(data, folder, *callbacks, **arguments)
    trainer.train()
    return trainer


def same_weights(one, other):
    pairs = zip(one.model.state_dict().items(), other.model.state_dict().values(), strict=True)
    return [name for (name, values), others in pairs if not torch.equal(values, others)] == []


def slow_el2n(logits, label):
    p = np.exp(np.float64(logits)) / np.exp(np.float64(logits)).sum()
    return float(np.sqrt(((p - np.eye(len(p))[label]) ** 2).sum()))


def losses(trainer):
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.fixture(scope="module")
def plain(data, tmp_path_factory):
    return trained(data, tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("settings", [{}, {"rescale": True}, {"scores": "pass"}])
def test_keeping_all_is_plain_training_bit_for_bit(data, plain, tmp_path, settings):
    trainer = trained(data, tmp_path, DietCallback(keep=1, **settings))
    assert same_weights(trainer, plain)
    assert [batch[1] for batch in trainer.batches] == [batch[1] for batch in plain.batches]
    assert losses(trainer) == losses(plain)


def test_an_epoch_trains_on_the_highest_scores_of_the_one_before_without_the_very_highest(data, plain, tmp_path):
    diet = DietCallback(keep=0.5, drop_hardest=5)
    trainer = trained(data, tmp_path, diet)
    scores = np.full(EXAMPLES, np.nan)
    for epoch in range(3):
        seen = trainer.places(epoch)
        if epoch:
            ranked = sorted(range(EXAMPLES), key=lambda place: (-scores[place], place))
            wanted = set(ranked[2:26])  # 5 % of 48 are 2
            assert set(seen) == wanted and len(seen) == 24
            assert seen == [place for place in plain.places(epoch) if place in wanted]  # in the same order
        else:
            assert sorted(seen) == list(range(EXAMPLES))
        for here, places, labels, logits, _ in trainer.batches:
            if here == epoch:
                for place, label, row in zip(places, labels, logits, strict=True):
                    scores[place] = slow_el2n(row, label)
    np.testing.assert_allclose(diet.el2n, scores, rtol=1e-5)
    assert set(np.flatnonzero(diet.kept)) == set(trainer.places(2))


def test_steps_epochs_rates_and_losses_are_told_as_in_plain_training(data, plain, tmp_path):
    trainer = trained(data, tmp_path, DietCallback(keep=0.5), eval_strategy="no")
    assert trainer.state.global_step == plain.state.global_step == 3 * EPOCH
    assert trainer.state.epoch == 3
    rates = [batch[4] for batch in trainer.batches]
    assert len(rates) == EPOCH + 2 * EPOCH // 2
    whole = [batch[4] for batch in plain.batches]
    assert rates == pytest.approx(whole[:EPOCH] + whole[EPOCH::2])  # every second: the rate follows the epoch
    for (_, _, labels, logits, _), loss in zip(trainer.batches, losses(trainer), strict=True):
        mean = np.mean(
            [-np.log(np.exp(row)[label] / np.exp(row).sum()) for row, label in zip(logits, labels, strict=True)]
        )
        assert loss == pytest.approx(mean, rel=1e-3)


def test_scores_by_a_pass_are_those_of_the_weights_at_the_end_of_the_epoch(data, tmp_path):
    kept = []

    class Ask(TrainerCallback):
        def on_epoch_end(self, args, state, control, model=None, **keywords):
            """Every example by itself, without dropout."""
            model.eval()
            with torch.no_grad():
                rows = [{k: torch.tensor([v]) for k, v in row.items() if k != "place"} for row in data[4]]
                kept.append([slow_el2n(model(**row).logits[0].numpy(), int(row["labels"])) for row in rows])
            model.train()

    trainer = trained(data, tmp_path, DietCallback(keep=0.25, drop_hardest=0, scores="pass"), Ask(), num_train_epochs=2)
    ranked = np.lexsort((np.arange(EXAMPLES), -np.array(kept[0])))
    assert set(trainer.places(1)) == set(ranked[:12].tolist())


@pytest.mark.parametrize(
    ("settings", "stop"),
    [
        ({}, EPOCH),
        ({}, EPOCH + 2),
        ({"rescale": True}, EPOCH + 1),
        ({"scores": "pass"}, 2 * EPOCH),
        ({"scores": "pass", "every": 2}, EPOCH + 2),
    ],
)
def test_resumed_training_is_the_same_bit_for_bit(data, tmp_path, settings, stop):
    whole = trained(data, tmp_path / "whole", DietCallback(keep=0.5, **settings))

    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **keywords):
            if state.global_step == stop:
                control.should_save = control.should_training_stop = True

    trained(data, tmp_path / "part", DietCallback(keep=0.5, **settings), Stop())
    rest = trainer_of(data, tmp_path / "part", DietCallback(keep=0.5, **settings))
    rest.train(resume_from_checkpoint=str(tmp_path / "part" / f"checkpoint-{stop}"))
    assert same_weights(rest, whole)
    assert [batch[1] for batch in rest.batches] == [batch[1] for batch in whole.batches][-len(rest.batches) :]


def test_a_checkpoint_of_other_data_is_refused(data, tmp_path):
    trained(data, tmp_path, DietCallback(keep=0.5), save_strategy="epoch", num_train_epochs=1)
    rest = trainer_of(data, tmp_path, DietCallback(keep=0.5), rows=data[4][:40])
    with pytest.raises(BadInputError, match="48 examples; this one has 40"):
        rest.train(resume_from_checkpoint=True)


def test_accumulated_gradients_leave_no_part_of_a_step_over(data, tmp_path):
    trainer = trained(data, tmp_path, DietCallback(keep=0.6), gradient_accumulation_steps=2, num_train_epochs=2)
    assert len(trainer.batches) == EPOCH + 2  # 28 examples are rounded to one step of two batches
    assert trainer.state.global_step == 2 * EPOCH // 2


def test_saving_evaluating_and_stopping_go_on_as_usual(data, tmp_path):
    trainer = trained(data, tmp_path, DietCallback(keep=0.5), save_strategy="steps", save_steps=4, max_steps=16)
    assert trainer.state.global_step == 16
    saved = {int(folder.name.removeprefix("checkpoint-")) for folder in tmp_path.glob("checkpoint-*")}
    assert saved == {4, 8, 12, 16}
    assert json.loads((tmp_path / "checkpoint-8" / "trainer_state.json").read_text())["epoch"] == pytest.approx(
        8 / EPOCH + 1 / 3
    )


def test_weights_of_rescaling_multiply_each_examples_gradient(data, tmp_path):
    found = {}

    class Look(TrainerCallback):
        def on_pre_optimizer_step(self, args, state, control, model=None, **keywords):
            if state.global_step == EPOCH:  # the first step on a diet
                found["weights"] = {name: value.clone() for name, value in model.state_dict().items()}
                found["gradients"] = [parameter.grad.clone() for parameter in model.parameters()]

    diet = DietCallback(keep=0.75, rescale=True, drop_hardest=0)
    trainer = trainer_of(data, tmp_path, diet, Look(), num_train_epochs=2, max_grad_norm=0.0)
    for module in trainer.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    trainer.train()
    weights = {}  # by hand: easy is below the mean, and a quarter of all is dropped there
    scores = np.full(EXAMPLES, np.nan)
    for epoch, places, labels, logits, _ in trainer.batches:
        if epoch == 0:
            scores[places] = [slow_el2n(row, label) for row, label in zip(logits, labels, strict=True)]
    easy = scores < scores.mean()
    enough = max(easy.sum(), int(np.ceil(12 / MOST_DROPPED)))
    easy = set(np.argsort(scores)[:enough].tolist())
    weights = {place: enough / (enough - 12) if place in easy else 1.0 for place in range(EXAMPLES)}
    first = next(places for epoch, places, *_ in trainer.batches if epoch == 1)
    model = trainer.model
    model.load_state_dict(found["weights"])
    sums = [torch.zeros_like(parameter) for parameter in model.parameters()]
    for place in first:
        model.zero_grad()
        row = {name: torch.tensor([value]) for name, value in data[4][place].items() if name != "place"}
        model(**row).loss.backward()
        for total, parameter in zip(sums, model.parameters(), strict=True):
            total += weights[place] * parameter.grad / len(first)
    for total, gradient in zip(sums, found["gradients"], strict=True):
        torch.testing.assert_close(total, gradient, rtol=1e-4, atol=1e-6)
    assert len({weights[place] for place in first}) == 2


@pytest.mark.parametrize("last", [True, False])
def test_recorder_beside_it_has_every_score_of_every_example(data, tmp_path, last):
    workspace, dataset, *_ = data
    recorder = ScoreRecorder(workspace, dataset, name="on a diet", grand="off", max_length=16)
    trained(data, tmp_path, *[DietCallback(keep=0.5), recorder][:: 1 if last else -1])
    run = workspace.run(recorder.run_id)
    assert run.status == "succeeded"
    assert set(run.landed_checkpoints()) == {0.0, 0.25, 0.5, 1.0, 2.0, 3.0}
    assert (run.scores().groupby("checkpoint").size() == EXAMPLES).all()


def test_a_checkpoint_that_a_shortened_epoch_has_not_is_told_as_missing(data, tmp_path):
    workspace, dataset, *_ = data
    recorder = ScoreRecorder(workspace, dataset, name="within", checkpoints=(1, 1.5, 2), grand="off", max_length=16)
    trained(data, tmp_path, DietCallback(keep=0.5), recorder)
    run = workspace.run(recorder.run_id)
    assert (run.status, run.landed_checkpoints()) == ("failed", [1.0, 2.0])
    assert "1.5" in run.error and "shortened" in run.error


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"keep": 0}, "keep must be above 0"),
        ({"keep": 1.5}, "keep must be above 0"),
        ({"keep": "0.5"}, "keep must be above 0"),
        ({"every": None}, "every must be 1 or more"),
        ({"every": 0}, "every must be 1 or more"),
        ({"drop_hardest": 100}, "drop_hardest must be from 0"),
        ({"first_epochs": 0}, "first_epochs must be 1"),
        ({"scores": "both"}, "scores must be"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(BadInputError, match=words):
        DietCallback(**settings)


def test_streams_are_refused_before_the_first_step(data, tmp_path):
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(data[4])

    trainer = trainer_of(data, tmp_path, DietCallback(), rows=Stream(), max_steps=4)
    with pytest.raises(ModelError, match="a stream has none"):
        trainer.train()
    assert trainer.batches == []


vectors = st.lists(st.floats(0, 1.25, width=32) | st.just(float("nan")), min_size=1, max_size=40)


@given(vectors, st.floats(0.01, 1), st.floats(0, 50))
def test_a_window_of_the_ranking_is_kept(values, keep, drop):
    scores = np.array(values, dtype=np.float32)
    kept, left_out = sizes(len(scores), keep, drop)
    choice = hardest(scores, kept, left_out)
    assert choice.size == kept <= len(scores) and left_out <= len(scores) - kept
    known = sorted((-score, place) for place, score in enumerate(values) if score == score)
    unknown = [place for place, score in enumerate(values) if score != score]
    wanted = (unknown + [place for _, place in known[left_out:]])[:kept]
    assert set(wanted) <= set(np.flatnonzero(choice.kept))


@given(vectors, st.floats(0.01, 1), st.floats(0, 50), st.integers(0, 9))
def test_what_is_kept_counts_for_what_is_dropped(values, keep, drop, seed):
    scores = np.array(values, dtype=np.float32)
    kept, left_out = sizes(len(scores), keep, drop)
    choice = rescaled(scores, kept, left_out, np.random.default_rng(seed))
    left = min(left_out, int(np.isfinite(scores).sum()))
    assert choice.size >= kept
    assert float((choice.weights * choice.kept).sum()) == pytest.approx(len(scores) - left, rel=1e-4)
    assert choice.weights.max() <= 1 / (1 - MOST_DROPPED) * 2
    dropped = np.flatnonzero(~choice.kept)
    if len(dropped) > left:
        easy = np.flatnonzero(choice.weights > 1)
        assert scores[easy].max() <= np.nanmax(scores)


def test_a_multiple_is_kept_and_all_where_all_are_asked_for():
    assert sizes(48, 0.6, 0, 16) == (16, 0)
    assert sizes(48, 0.1, 0, 16) == (16, 0)
    assert sizes(48, 1, 10, 16) == (48, 0)
    assert sizes(100, 0.97, 10) == (97, 3)
