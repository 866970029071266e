"""The workers of all machines as a table: where they are, what they have and what they do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from diet_explorer.store.in_words import counted
from diet_explorer.store.workers import WorkerInfo
from diet_explorer.ui.drawing.plain import escape


def draw_workers(workers: Sequence[WorkerInfo], now: datetime) -> None:
    """Draw them, folded in; nothing where there are none. `now` is the time by the database's clock."""
    if not workers:
        return
    with st.expander(f"{counted(len(workers), 'worker')} in detail", key="workers", icon=":material/dns:"):
        st.html(
            f'<div class="de-scroll"><table class="de-list">{_HEAD}<tbody>{_rows(workers, now)}</tbody></table></div>'
        )


_HEAD = (
    "<thead><tr><th>Host</th><th>Does</th><th>Last sign of life</th><th>Computes with</th><th>Memory</th>"
    "<th>Version</th></tr></thead>"
)


def _rows(workers: Sequence[WorkerInfo], now: datetime) -> str:
    return "".join(
        "<tr>" + "".join(f"<td>{escape(value)}</td>" for value in _values(worker, now)) + "</tr>" for worker in workers
    )


def _values(worker: WorkerInfo, now: datetime) -> tuple[str, ...]:
    silent = worker.is_silent(now)
    seen = f"{worker.seconds_silent(now):.0f} s ago{' · silent' if silent else ''}"
    return f"{worker.host} · {worker.slot}", worker.doing, seen, worker.device, worker.memory, worker.version
