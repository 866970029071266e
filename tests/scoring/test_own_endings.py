"""How trainings of one's own end: well, by an error, by a kill, or going on; and that nothing of ours ends one."""

import errno

import pytest
import torch
from transformers import TrainerCallback, TrainerState

from diet_explorer import ScoreRecorder
from diet_explorer.errors import BadInputError, JobFailedError, NotFoundError
from diet_explorer.scoring.scorer import ExampleScorer
from diet_explorer.store.presence import last_report
from diet_explorer.store.scores import ScoreFiles
from tests.scoring.own_scripts import STEPS, Script, same_weights, steps_of
from tests.tiny_runs import inside


@pytest.fixture(scope="module")
def script(tmp_path_factory, model):
    return Script.make(tmp_path_factory.mktemp("endings"), model)


class After(TrainerCallback):
    """Does something after a step."""

    def __init__(self, step, act):
        self._step = step
        self._act = act

    def on_step_end(self, args, state: TrainerState, control, **_):
        if state.global_step == self._step:
            self._act()


def raising(error):
    def act(*_, **__):
        raise error

    return act


def test_what_is_called_epoch_n_was_scored_after_n_epochs(script):
    run = script.record(num_train_epochs=1.5)
    assert steps_of(run) == {0.0: 0, 0.25: 2, 0.5: 3, 1.0: STEPS, 1.5: 9}
    assert run.config.end == 1.5 and run.status == "succeeded" and not run.progress().notes
    early = script.record(max_steps=3)
    assert steps_of(early) == {0.0: 0, 0.25: 2, 0.5: 3}
    assert "too early" in [entry.kind for entry in early.dynamics.warnings()]


@pytest.mark.parametrize("what", ["memory", "disk", "database"])
def test_a_recorder_that_fails_ends_no_training_and_the_run_says_what_is_missing(script, monkeypatch, what, caplog):
    plain = script.trainer(num_train_epochs=2)
    plain.train()
    calls = []
    score, write = ExampleScorer.score, ScoreFiles.write_scores

    def failing(self, *args, **keywords):
        calls.append(self)
        if len(calls) == 3:
            torch.rand(5)  # whatever it did to random numbers
            raise {
                "memory": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"),
                "disk": OSError(errno.ENOSPC, "No space left on device"),
                "database": RuntimeError("a fault of the program"),
            }[what]
        return (write if what == "disk" else score)(self, *args, **keywords)

    target = (ScoreFiles, "write_scores") if what == "disk" else (ExampleScorer, "score")
    monkeypatch.setattr(*target, failing)
    recorder = script.recorder(what)
    trainer = script.trainer([recorder], num_train_epochs=2)
    trainer.train()
    run = script.run(recorder)
    assert same_weights(trainer.model, plain.model)
    assert run.landed() == {0: [0.0, 0.25, 1.0, 2.0]}
    assert run.status == "failed" and "Scores are missing (at epoch 0.5)" in (run.error or "")
    assert ("memory" if what == "memory" else "space" if what == "disk" else "a fault") in (run.error or "")
    assert "The training goes on" in caplog.text
    assert [entry.kind for entry in run.dynamics.warnings(2.0, score="aum")][:1] == ["incomplete"]
    with pytest.raises(JobFailedError, match="missing"):
        run.wait()


def test_a_workspace_that_is_gone_ends_no_training(script, monkeypatch):
    plain = script.trainer()
    plain.train()
    recorder = script.recorder("gone")

    def away():
        for name in ("runs.transaction", "runs.writing", "workers.transaction", "workers.writing"):
            monkeypatch.setattr(f"diet_explorer.store.{name}", raising(OSError("the database is gone")))
        monkeypatch.setattr("diet_explorer.store.files.Files.write_json", raising(OSError("the disk is gone")))

    trainer = script.trainer([recorder, After(2, away)])
    trainer.train()
    monkeypatch.undo()
    assert same_weights(trainer.model, plain.model)
    assert script.run(recorder).status == "interrupted"  # seen from outside: nobody trains for it any more


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (ValueError("the collator met a bad row"), "failed", "ValueError: the collator met a bad row"),
        (KeyboardInterrupt(), "interrupted", "was interrupted"),
        (SystemExit(3), "interrupted", "was interrupted"),
    ],
)
def test_an_error_in_the_training_closes_the_run_with_its_words(script, error, status, words):
    recorder = script.recorder("error")
    with pytest.raises(type(error)):
        script.trainer([recorder, After(3, raising(error))]).train()
    run = script.run(recorder)
    assert run.status == status and words in (run.error or "")
    assert "resume_from_checkpoint" in (run.remedy or "")
    assert run.landed() == {0: [0.0, 0.25, 0.5]}


def test_a_living_script_is_shown_and_trains_on_when_its_run_is_closed(script, monkeypatch):
    monkeypatch.setattr("diet_explorer.scoring.own_run.REPORT_SECONDS", 0.0)
    recorder = script.recorder("alive")
    seen = []

    def look_and_close():
        run = script.run(recorder)
        seen.append((run.status, run.progress().notes))
        status = inside("status", run.id, home=script.workspace.settings.home)
        seen.append(status.stdout)
        run.cancel()

    trainer = script.trainer([recorder, After(2, look_and_close)])
    trainer.train()
    (status, notes), printed = seen
    assert status == "running" and "last reported" in notes[0] and "last reported" in printed
    assert "No worker" not in printed
    run = script.run(recorder)
    assert trainer.state.global_step == STEPS and run.status == "cancelled"
    assert run.landed() == {0: [0.0, 0.25]}
    assert last_report(script.workspace.context.database, run.id)[0] is None, "its script has let go of it"


def test_a_resumed_training_goes_on_in_its_run(script, tmp_path):
    first = script.record(name="night", num_train_epochs=2, save_strategy="epoch", output_dir=str(tmp_path))
    before = first.scores()
    again = script.record(
        name="night",
        num_train_epochs=2,
        save_strategy="epoch",
        output_dir=str(tmp_path),
        resume=f"{tmp_path}/checkpoint-{STEPS}",
    )
    assert again.id == first.id and again.status == "succeeded" and not again.progress().notes
    assert again.landed() == {0: [0.0, 0.25, 0.5, 1.0, 2.0]}
    assert again.scores().equals(before)
    moved = tmp_path / "elsewhere"
    (tmp_path / f"checkpoint-{STEPS}").rename(moved)
    longer = script.record(name="night", num_train_epochs=3, output_dir=str(tmp_path), resume=str(moved))
    assert longer.id == first.id and longer.config.epochs == 3 and longer.landed()[0][-1] == 3.0


def test_a_resumed_training_without_its_run_says_what_is_missing(script, tmp_path):
    script.trainer(num_train_epochs=2, save_strategy="epoch", output_dir=str(tmp_path)).train()
    run = script.record(num_train_epochs=2, output_dir=str(tmp_path), resume=True, name="late")
    assert run.landed() == {0: [2.0]}
    notes = " ".join(run.progress().notes)
    assert "Scores are missing (before training, at epoch 0.25" in notes and "went on from a later step" in notes
    warning = next(entry for entry in run.dynamics.warnings(score="aum") if entry.kind == "incomplete")
    assert "at epoch 0.25, at epoch 0.5, after epoch 1" in warning.words
    assert "incomplete" not in [entry.kind for entry in run.dynamics.warnings(score="el2n")]


def test_a_setting_out_of_range_is_refused_when_the_recorder_is_made(script):
    for settings in ({"grand": "some"}, {"max_length": 1}, {"checkpoints": (-1,)}, {"checkpoints": ()}):
        with pytest.raises(BadInputError):
            script.recorder(**settings)


def test_who_stops_a_script_while_its_data_are_looked_at_leaves_an_interrupted_run(script):
    class Stopped(list):
        def __getitem__(self, index):
            if index == 41:
                raise KeyboardInterrupt
            return super().__getitem__(index)

    with pytest.raises(KeyboardInterrupt):
        script.record(name="stopped", data=Stopped(script.examples()))
    (run,) = (run for run in script.workspace.runs() if run.name == "stopped")
    assert run.status == "interrupted"


def test_a_recorder_finds_its_dataset_by_name_and_says_which_there_are(script):
    dataset = script.dataset
    assert ScoreRecorder(script.workspace, dataset.name).run_id is None
    with pytest.raises(NotFoundError, match="no dataset 'reviews'") as caught:
        ScoreRecorder(script.workspace.settings.home, "reviews")
    assert f"{dataset.id} ({dataset.name})" in caught.value.remedy
    with pytest.raises(BadInputError, match="A DataFrame is no dataset"):
        ScoreRecorder(script.workspace, dataset.examples())
