"""The evidence tab of the Audit page: which witnesses there are, and the jobs that bring more of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import streamlit as st

from diet_explorer.analysis.suspects.noise import NoiseMode
from diet_explorer.analysis.suspects.witnesses import Witness
from diet_explorer.drawing import words
from diet_explorer.drawing.plain import escape
from diet_explorer.errors import NotFoundError
from diet_explorer.review.annotators import Identity
from diet_explorer.store.runs import ACTIVE
from diet_explorer.training.cost import BERT_BASE_PARAMETERS, layer_parameters
from diet_explorer.ui.drawing.markup import bar
from diet_explorer.ui.score.run_form import fill_form
from diet_explorer.ui.shell.bin import draw_menu
from diet_explorer.ui.shell.boundary import error_boundary, show_failure
from diet_explorer.ui.shell.delay import draw_delay
from diet_explorer.ui.shell.job_line import describe_progress
from diet_explorer.ui.shell.view import View
from diet_explorer.workspace.run import Run

_LARGER_MODEL = "sentence-transformers/all-mpnet-base-v2"
_EVERY_SECONDS = 1.0
_MODES: dict[NoiseMode, str] = {"uniform": "any other class", "class-conditional": "classes that the models confuse"}


def draw_evidence(run: Run, checkpoint: float, who: Identity) -> None:
    """Draw the witnesses; beside them the jobs."""
    left, right = st.columns([11, 9], gap="medium")
    with left, st.container(key="witnesses"):
        lines = "".join(
            f"<tr><td>{'✓' if entry.available else '–'}</td><td><b>{escape(entry.title)}</b><br>"
            f'<span class="de-quiet">{escape(entry.explanation)}{_remedy(entry)}</span></td></tr>'
            for entry in run.audit.witnesses(checkpoint)
        )
        st.html(f'<table class="de-list de-witnesses"><tbody>{lines}</tbody></table>')
    with right:
        with st.container(key="folds", gap="small"):
            st.html(
                '<h2 class="de-chart-title">Ask models that never saw the example</h2><p class="de-quiet">Trains on '
                "all parts of the training split but one, for each part in turn, and asks each model about the part it "
                "did not see. Costs about as much as that many seeds.</p>"
            )
            _job(run.audit.fold_run(), "folds", who, lambda: _start_folds(run, who))
        _larger_model(run, who)
        with st.container(key="noise", gap="small"):
            st.html(
                '<h2 class="de-chart-title">How well would each witness find wrong labels here?</h2>'
                '<p class="de-quiet">Makes a known share of labels wrong on a copy, trains on it and looks who finds '
                "them. The dataset stays as it is.</p>"
            )
            checks = run.children("noise")
            check = checks[0] if checks else None
            _job(check, "noise", who, lambda: _start_noise(run, who))
            if check is not None and check.status == "succeeded":
                _report(run)


def _larger_model(run: Run, who: Identity) -> None:
    parameters, known = layer_parameters(run.config.model)
    if not known or parameters >= BERT_BASE_PARAMETERS:
        return
    with st.container(key="larger-model", gap="small"):
        st.html(
            '<h2 class="de-chart-title">Ask a larger model</h2><p class="de-quiet">What a small model doubts is often '
            "only too hard for it. Of the first 169 film snippets that a single model of BERT-base size doubted 84 had "
            "wrong labels; of those that all of the bundled model's seeds and parts doubted, 61. An epoch takes about "
            "six times as long; a GPU helps.</p>"
        )
        if st.button("Set up a run", key="larger-model-run", icon=":material/tune:", disabled=not who.may("lead")):
            fill_form(replace(run.config, model=_LARGER_MODEL, seeds=1, epochs=2, checkpoints=(1.0, 2.0), grand="head"))
            st.switch_page("pages/score.py", query_params=View(dataset=run.dataset.id, tab="new").to_query())


def _remedy(entry: Witness) -> str:
    return "" if entry.available else f" <b>{escape(entry.remedy.replace('`', ''))}</b>"


def _start_folds(run: Run, who: Identity) -> None:
    with st.form("folds-form", border=False), st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        folds = st.number_input("Parts", 2, 50, 4, key="folds-parts", width=100)
        repeats = st.number_input("Repeats", 1, 20, 1, key="folds-repeats", width=100)
        started = st.form_submit_button(
            "Train on the parts", key="folds-start", icon=":material/play_arrow:", disabled=not who.may("lead")
        )
    if started:
        with error_boundary("folds-error"):
            run.audit.folds(int(folds), int(repeats))
            st.rerun()


def _start_noise(run: Run, who: Identity) -> None:
    with st.form("noise-form", border=False), st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        share = st.number_input("Wrong labels (%)", 1, 50, 10, key="noise-share", width=120)
        mode = st.selectbox("Turned into", list(_MODES), format_func=_MODES.__getitem__, key="noise-mode", width=220)
        started = st.form_submit_button(
            "Check", key="noise-start", icon=":material/play_arrow:", disabled=not who.may("lead")
        )
    if started:
        with error_boundary("noise-error"):
            run.audit.noise_check(share / 100, mode)
            st.rerun()


def _job(job: Run | None, name: str, who: Identity, start: Callable[[], None]) -> None:
    """The way to start a job, its progress, or how it ended."""
    if job is not None and job.status in ACTIVE:
        st.fragment(_progress, run_every=_EVERY_SECONDS)(job, name, who)
        return
    if job is not None:
        with st.container(key=f"{name}-ended", horizontal=True, vertical_alignment="center", gap="small"):
            _ended(job, name, who)
            draw_menu(f"run:{job.id}", job.name, key=f"{name}-job")
    start()


def _progress(job: Run, name: str, who: Identity) -> None:
    with error_boundary(f"{name}-progress-error"):
        progress = job.progress()
        if job.status not in ACTIVE:
            st.rerun()
        with st.container(key=f"{name}-progress", gap="small"):
            st.html(
                f'<div class="de-job" role="status"><p><span>{escape(job.name)}</span>'
                f"<b>{escape(describe_progress(progress))}</b></p>{bar(progress.share)}</div>"
            )
            draw_delay(progress.delay)
            if st.button("Cancel", key=f"{name}-cancel", icon=":material/stop:", disabled=not who.may("lead")):
                job.cancel()
                st.rerun()


def _ended(job: Run, name: str, who: Identity) -> None:
    if job.status == "succeeded":
        ended = words.moment(job.record.finished_at)
        st.html(f'<p role="status">✓ {escape(job.name)}, {escape(ended)}</p>', width="stretch")
        return
    if job.status == "failed":
        show_failure(job.error or "The job failed.", job.remedy or "Start it again.")
    else:
        st.html(f'<p role="status">{escape(job.name)} was cancelled; what has landed stays.</p>', width="stretch")
    if st.button("Go on with it", key=f"{name}-resume", icon=":material/play_arrow:", disabled=not who.may("lead")):
        with error_boundary(f"{name}-error"):
            job.resume()
            st.rerun()


def _report(run: Run) -> None:
    try:
        report = run.audit.noise_report()
    except NotFoundError as error:
        st.html(f'<p class="de-quiet">{escape(error.message)}</p>')
        return
    with st.container(key="noise-report"):
        st.html(_report_html(report))


def _report_html(report: pd.DataFrame) -> str:
    shares = [name for name in report.columns if name.startswith("precision_")]
    head = "".join(f"<th>worst {words.round_percent(float(name.removeprefix('precision_')))}</th>" for name in shares)
    lines = "".join(
        f"<tr><td>{escape(entry['title'])}</td>"
        + "".join(f'<td class="de-figure">{words.percent(entry[name])}</td>' for name in shares)
        + "</tr>"
        for entry in report.to_dict("records")
    )
    return (
        f'<table class="de-list"><thead><tr><th>Wrong among the</th>{head}</tr></thead><tbody>{lines}</tbody></table>'
        f'<p class="de-quiet">By chance {words.percent(report["chance"].iloc[0])}. '
        "Caution: labels made wrong by chance are easier to find than those that people get wrong. "
        "Read it as the best that can be hoped for.</p>"
    )
