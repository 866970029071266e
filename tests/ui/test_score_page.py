"""Score: settings, cost, progress, cancel, resume, run again."""

import numpy as np
import pytest

from diet_explorer.scoring.progress import CheckpointProgress, RunReports, SeedProgress
from diet_explorer.training.config import RunConfig
from tests.ui.conftest import assert_calm, control, parameter, words_on


def test_without_a_dataset_the_page_leads_to_the_import(empty, open_page):
    app = open_page("score")
    assert_calm(app)
    assert "No dataset to score yet" in words_on(app)


def test_defaults_estimate_and_start(own, open_page):
    app = open_page("score", dataset=own.dataset.id, tab="new")
    assert_calm(app)
    assert control(app.number_input, "run-seeds").value == 3
    assert "expected in all" in words_on(app)
    control(app.number_input, "run-seeds").set_value(1).run()
    control(app.number_input, "run-epochs").set_value(2).run()
    assert control(app.multiselect, "run-checkpoints").value == ["0", "0.25", "0.5", "1", "2"]
    control(app.selectbox, "run-grand").select("head").run()
    app.button(key="start-run").click().run()
    assert_calm(app)
    newest = own.workspace.runs()[0]
    assert newest.status == "queued"
    assert newest.config == RunConfig(
        dataset_id=own.dataset.id, epochs=2, seeds=1, checkpoints=(0, 0.25, 0.5, 1, 2), grand="head"
    )
    assert parameter(app, "run") == newest.id
    assert "waiting" in words_on(app)


def test_a_list_of_checkpoints_of_the_users_own_does_not_follow_the_epochs(own, open_page):
    app = open_page("score", tab="new")
    control(app.multiselect, "run-checkpoints").unselect("0").run()
    control(app.number_input, "run-epochs").set_value(5).run()
    assert control(app.multiselect, "run-checkpoints").value == ["0.25", "0.5", "1", "2", "3"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda app: control(app.text_input, "run-learning-rate").set_value("fast"), "learning rate"),
        (lambda app: control(app.text_input, "run-learning-rate").set_value("2"), "learning rate"),
        (lambda app: control(app.number_input, "run-epochs").set_value(1), "checkpoint"),
        (lambda app: control(app.segmented_control, "run-model-kind").set_value("folder"), "model"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_and_nothing_can_start(own, open_page, change, message):
    app = open_page("score", tab="new")
    control(app.multiselect, "run-checkpoints").unselect("0").run()
    change(app).run()
    assert_calm(app)
    assert message in app.error[0].value.lower()
    assert app.button(key="start-run").disabled


def test_a_folder_without_a_model_is_named(own, open_page, tmp_path):
    app = open_page("score", tab="new")
    control(app.segmented_control, "run-model-kind").set_value("folder").run()
    control(app.text_input, "run-model").set_value(str(tmp_path)).run()
    assert "config.json" in app.error[0].value.replace("\\", "")
    assert app.button(key="start-run").disabled


def test_a_finished_run_shows_its_result_and_can_be_run_again(own, open_page):
    app = open_page("score", run=own.run.id)
    assert_calm(app)
    assert "done" in words_on(app)
    assert not [button for button in app.button if button.key in ("cancel-run", "resume-run")]
    app.button(key="run-again").click().run()
    assert control(app.number_input, "run-seeds").value == 2
    assert control(app.multiselect, "run-checkpoints").value == ["0", "0.5", "1", "2"]


def test_a_running_run_shows_what_it_does_and_can_be_cancelled_and_resumed(own, open_page):
    run = own.workspace.score(own.dataset, epochs=2, seeds=2, max_length=16)
    own.workspace.context.records.set_status(run.id, "running")
    seed = SeedProgress(0, "training", step=7, total_steps=20, epoch=0.7, examples_per_second=123.0, loss=0.4321)
    seed.checkpoints = [CheckpointProgress(0.0, "2026-01-01T00:00:00+00:00", 0.69, 0.5, 0.45, 1.0)]
    RunReports(own.workspace.context.database, run.id).save(seed, force=True)
    app = open_page("score", run=run.id)
    assert_calm(app)
    text = words_on(app)
    for expected in ("step 7 of 20", "epoch 0.70 of 2", "123 examples/s", "loss 0.432", "45.0 %", "Seed 1"):
        assert expected in text
    app.button(key="cancel-run").click().run()
    assert_calm(app)
    assert own.workspace.run(run.id).status == "cancelled"
    assert "resume" in words_on(app).lower()
    app.button(key="resume-run").click().run()
    assert_calm(app)
    assert own.workspace.run(run.id).status == "queued"


def test_a_failed_run_shows_its_error_and_remedy_as_text(own, open_page):
    own.workspace.context.records.set_status(own.run.id, "failed", error="No <b>space</b> *left*.", remedy="Free some.")
    app = open_page("score", run=own.run.id)
    assert_calm(app)
    shown = app.error[0].value.replace("\\", "")
    assert "No <b>space</b> *left*." in shown and "Free some." in shown
    assert not app.button(key="resume-run").disabled


def test_a_run_that_no_worker_takes_up_says_why_on_every_page(own, open_page):
    run = own.workspace.score(own.dataset, epochs=1, seeds=1, max_length=16)
    for page in ("home", "score", "browse"):
        app = open_page(page, run=own.run.id)
        assert_calm(app)
        assert "No worker is running, so that it waits. Start one with" in words_on(app)
    app = open_page("score", run=run.id)
    assert any("diet-explorer worker" in element.value.replace("\\", "") for element in app.warning)


def test_a_running_job_is_one_line_on_every_page(own, open_page):
    run = own.workspace.score(own.dataset, epochs=1, seeds=1, max_length=16)
    own.workspace.context.records.set_status(run.id, "running")
    for page in ("home", "datasets", "score", "browse"):
        app = open_page(page, run=own.run.id)
        assert_calm(app)
        assert sum('class="de-job"' in element.body for element in app.html) == 1


def test_a_run_of_recorded_outputs_claims_no_settings_and_cannot_be_run_again(own, open_page):
    outputs = np.full((own.dataset.rows, len(own.dataset.classes)), 1 / len(own.dataset.classes))
    run = own.workspace.record(own.dataset, {1: outputs, 2: outputs}, kind="probabilities", model="a forest")
    app = open_page("score", dataset=own.dataset.id, run=run.id)
    assert_calm(app)
    said = words_on(app)
    assert "a forest · 2 epochs · 1 seed · outputs recorded by another program" in said
    assert not any(word in said for word in ("learning rate", "batch", "max length"))
    assert "run-again" not in [button.key for button in app.button]
    assert "run-again" in [button.key for button in open_page("score", run=own.run.id).button]
