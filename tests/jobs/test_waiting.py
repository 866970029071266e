"""Waiting for what a worker does, and why none takes it up."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from diet_explorer.config import load_settings
from diet_explorer.errors import NoWorkerError
from diet_explorer.jobs import waiting
from diet_explorer.jobs.progress import JobProgress
from diet_explorer.jobs.slots import WorkerSlot
from diet_explorer.jobs.waiting import TakeUp, delay_of, wait_while_active
from diet_explorer.training.config import RunConfig

NOW = datetime.now(UTC)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(waiting, "NOTICE_SECONDS", 0.0)
    return load_settings(home=str(tmp_path / "home"))


@pytest.fixture
def worker(settings):
    slot = WorkerSlot(settings)
    yield slot
    slot.release()


def test_no_worker_is_said_and_ends_the_waiting(settings, monkeypatch, caplog):
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.0)
    queued = JobProgress(state="queued", delay=delay_of(settings, NOW))
    with pytest.raises(NoWorkerError, match="run-1 is queued: no worker") as caught:
        wait_while_active(lambda: queued, None, lambda now: f"run-1 is {now.state}")
    assert "diet-explorer worker" in caught.value.remedy
    assert "No worker is running, so that it waits. Start one with `diet-explorer worker`" in caplog.text


def test_what_is_worked_on_is_waited_for_without_a_word(caplog):
    states = iter(["running", "running", "succeeded"])
    with caplog.at_level(logging.WARNING):
        ended = wait_while_active(lambda: JobProgress(state=next(states)), None, str)
    assert ended.state == "succeeded" and not caplog.text


def test_a_run_that_asks_for_more_than_any_worker_has_waits_and_says_for_what(settings, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    slot = WorkerSlot(settings)
    wants = {"a GPU": RunConfig("d", gpu=True), "100,000 GB of memory": RunConfig("d", memory_gb=100_000)}
    for what, config in wants.items():
        delay = delay_of(settings, NOW, needs=config)
        assert delay is not None and delay.reason == "no able worker"
        assert delay.words == f"No worker has {what}, so that it waits."
    assert delay_of(settings, NOW, needs=RunConfig("d", memory_gb=1)) is None
    slot.release()


def test_the_busy_ones_are_those_that_could_do_it(settings):
    able, other = WorkerSlot(settings), WorkerSlot(settings)
    other.set_lack("/models/a", "the folder /models/a")
    able.set_task("another")
    delay = delay_of(settings, NOW, needs=RunConfig("d", model="/models/a"))
    assert delay is not None and delay.reason == "workers busy" and "another" in delay.words
    for slot in (able, other):
        slot.release()


def test_a_worker_that_takes_nothing_up_for_a_minute_is_said(settings, worker, monkeypatch):
    assert delay_of(settings, NOW - timedelta(hours=1)) is None  # the worker has just come
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", -10.0)
    delay = delay_of(settings, NOW)
    assert delay is not None and delay.reason == "not taken up" and "logs" in delay.remedy


def test_a_worker_that_has_just_ended_another_job_is_about_to_take_it_up(settings, worker):
    worker.set_task("another")
    worker.set_task(None)
    assert delay_of(settings, NOW - timedelta(hours=1)) is None


def test_busy_workers_and_those_in_trouble_are_told_apart(settings, worker):
    worker.set_task("run-7")
    full = delay_of(settings, NOW)
    assert full is not None and full.reason == "workers busy" and full.is_normal
    assert full.words == "The worker is busy with run-7."
    assert delay_of(settings, NOW, "maps") is None, "maps do not wait for runs"
    assert delay_of(settings, NOW, tasks=["run-7"]) is None, "the worker has just begun with it"
    worker.set_trouble("disk I/O error")
    hurt = delay_of(settings, NOW, "maps")
    assert hurt is not None and hurt.reason == "workers in trouble" and "disk I/O error" in hurt.words


def test_a_worker_of_another_version_is_said_to_leave_the_job(settings, worker, monkeypatch):
    monkeypatch.setattr(waiting, "JOB_FORMAT", "of tomorrow")
    delay = delay_of(settings, NOW)
    assert delay is not None and delay.reason == "another version" and not delay.is_normal
    assert "jobs of form of tomorrow" in delay.words and "diet-explorer worker" in delay.remedy


def test_each_reason_is_said_once(settings, worker):
    taken_up = TakeUp()
    assert taken_up.notice(delay_of(settings, NOW)) is None
    worker.set_task("another")
    assert "busy with another" in (taken_up.notice(delay_of(settings, NOW)) or "")
    worker.set_task("a third")
    assert taken_up.notice(delay_of(settings, NOW)) is None and not taken_up.is_hopeless


def test_who_starts_a_worker_misses_none(settings):
    assert TakeUp(starts_one=True).notice(delay_of(settings, NOW)) is None
