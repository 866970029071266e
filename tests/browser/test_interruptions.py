"""Refresh, cancel, resume, and kills: a run goes on, and nothing is lost."""

import time

import psutil
import pytest
from playwright.sync_api import expect

from diet_explorer.jobs.slots import living_workers
from tests.browser.conftest import LiveApp, settled
from tests.jobs.tiny_runs import ENDLESS, LONG, further, queue, score_bytes, until

pytestmark = pytest.mark.browser
SETTINGS = {**LONG, "epochs": 12, "checkpoints": (*range(9), 10, 12)}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """An app with its worker, which the tests interrupt one after the other."""
    app = LiveApp(tmp_path_factory.mktemp("interrupted") / "home").start()
    yield app
    print(app.log.read_text())  # noqa: T201  shown where a test fails
    app.stop()


@pytest.fixture(scope="module")
def dataset(app, sentences):
    return app.workspace.import_dataset(sentences, text="sentence", label="mood", id="key")


@pytest.fixture(scope="module")
def undisturbed(app, dataset, tiny_model):
    """A run that nobody interrupts; the first to be done."""
    return queue(app.workspace, dataset.id, tiny_model, SETTINGS)


def in_mid_epoch(run, known):
    """Wait until a run has landed more than what is known and trains on; returns what has landed."""
    further(run, known)
    time.sleep(0.1)  # some steps into the epoch after the checkpoint
    return run.landed()


def test_refresh_cancel_and_resume(app, undisturbed, dataset, new_page, tiny_model):
    undisturbed.wait(240)
    run = queue(app.workspace, dataset.id, tiny_model, ENDLESS)
    page = settled(new_page(f"{app.url}/score?dataset={dataset.id}&run={run.id}"))
    expect(page.locator(".st-key-run-progress")).to_be_visible()
    in_mid_epoch(run, {0: [0.0]})
    page.reload()
    settled(page)
    expect(page.locator(".st-key-run-progress")).to_be_visible()
    assert run.refresh().status == "running"
    page.locator(".st-key-cancel-run button").click()
    expect(page.locator(".st-key-resume-run button")).to_be_visible()
    assert run.refresh().status == "cancelled"
    until(lambda: all(worker.run_id is None for worker in living_workers(app.workspace.settings)), "the worker let go")
    assert "cancelled" in [line["event"] for line in run.log()]
    before, landed = score_bytes(run), run.landed()
    page.locator(".st-key-resume-run button").click()
    expect(page.locator(".st-key-cancel-run button")).to_be_visible()
    further(run, landed)
    assert before.items() <= score_bytes(run).items(), "what had landed stays as it was"
    expect(page.get_by_role("link", name="Browse examples")).to_be_enabled()
    run.cancel()


def test_kills_of_worker_app_and_both(app, undisturbed, dataset, new_page, tiny_model):
    undisturbed.wait(240)
    run = queue(app.workspace, dataset.id, tiny_model, SETTINGS)
    landed = in_mid_epoch(run, {0: [0.0]})
    first = app.worker()
    app.kill(first)
    psutil.wait_procs([first], timeout=30)

    landed = in_mid_epoch(run, landed)
    left = app.kill_supervisor()
    gone, _ = psutil.wait_procs(left, timeout=30)
    assert len(gone) == len(left), "what the app started ends with it"
    assert run.refresh().status == "running"
    app.start()
    page = settled(new_page(f"{app.url}/score?dataset={dataset.id}&run={run.id}"))

    in_mid_epoch(run, landed)
    app.kill_all()
    assert run.refresh().status == "running"
    app.start()
    page.goto(f"{app.url}/score?dataset={dataset.id}&run={run.id}")
    expect(page.locator(".st-key-run-progress")).to_be_visible()
    run.wait(240)
    assert run.landed() == undisturbed.landed()
    assert score_bytes(run) == score_bytes(undisturbed), "worker, app, and both were killed"
    expect(page.get_by_role("link", name="Browse examples")).to_be_enabled()
