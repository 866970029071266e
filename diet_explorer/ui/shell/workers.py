"""The workers of all machines: where they are, what they have and what they do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from diet_explorer.drawing.plain import escape
from diet_explorer.store.in_words import counted
from diet_explorer.store.workers import WorkerInfo


def draw_workers(workers: Sequence[WorkerInfo], now: datetime) -> None:
    """Draw them, folded in; nothing where there are none. `now` is the time by the database's clock."""
    if not workers:
        return
    with st.expander(f"{counted(len(workers), 'worker')} in detail", key="workers", icon=":material/dns:"):
        st.html("".join(_entry(worker, now) for worker in workers))


def _entry(worker: WorkerInfo, now: datetime) -> str:
    """A paragraph, since the column beside the runs is too narrow for a table."""
    silent = " · silent" if worker.is_silent(now) else ""
    seen = f"last sign of life {worker.seconds_silent(now):.0f} s ago{silent}"
    facts = " · ".join([seen, worker.device, worker.memory, f"version {worker.version}"])
    name = escape(f"{worker.host} · {worker.slot}")
    return f'<p><b>{name}</b> {escape(worker.doing)}<br><span class="de-quiet">{escape(facts)}</span></p>'
