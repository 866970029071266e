"""Waiting for what a worker does, where there is none."""

import logging

import pytest

from diet_explorer.config import load_settings
from diet_explorer.errors import NoWorkerError
from diet_explorer.jobs import waiting
from diet_explorer.jobs.progress import JobProgress
from diet_explorer.jobs.slots import WorkerSlot


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(waiting, "NOTICE_SECONDS", 0.0)
    return load_settings(home=str(tmp_path / "home"))


def test_no_worker_is_said_and_ends_the_waiting(settings, monkeypatch, caplog):
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(NoWorkerError, match="run-1 is queued: no worker") as caught:
        waiting.wait_while_active(
            lambda: JobProgress(state="queued"), None, lambda now: f"run-1 is {now.state}", settings
        )
    assert "diet-explorer worker" in caught.value.remedy
    assert "No worker is running: start one with `diet-explorer worker`" in caplog.text


def test_what_is_worked_on_is_waited_for_without_a_word(settings, caplog):
    states = iter(["running", "running", "succeeded"])
    with caplog.at_level(logging.WARNING):
        ended = waiting.wait_while_active(lambda: JobProgress(state=next(states)), None, str, settings)
    assert ended.state == "succeeded" and not caplog.text


def test_a_worker_that_takes_nothing_up_is_said_once(settings, monkeypatch):
    slot = WorkerSlot(settings)
    try:
        taken_up = waiting.TakeUp(settings)
        assert taken_up.notice(True) is None
        monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.0)
        assert "has not taken it up for a minute" in (taken_up.notice(True) or "")
        assert taken_up.notice(True) is None and not taken_up.is_hopeless
        slot.set_run("another")
        fresh = waiting.TakeUp(settings)
        assert fresh.notice(True) is None  # it is busy, so that others wait
    finally:
        slot.release()


def test_who_starts_a_worker_misses_none(settings):
    assert waiting.TakeUp(settings, starts_one=True).notice(True) is None
