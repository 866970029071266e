"""The exports of a run: their list, and of the chosen one its progress, what it holds, and the way to the files."""

from __future__ import annotations

import streamlit as st

from diet_explorer.drawing import words
from diet_explorer.drawing.plain import cut_name, escape
from diet_explorer.store.in_words import bytes_in_words, counted
from diet_explorer.ui.drawing.markup import figures
from diet_explorer.ui.prune.export_form import format_title
from diet_explorer.ui.prune.hub_form import draw_hub
from diet_explorer.ui.shell.bin import draw_menu
from diet_explorer.ui.shell.boundary import error_boundary, show_failure
from diet_explorer.ui.shell.live_job import watch_job
from diet_explorer.ui.shell.person import person
from diet_explorer.ui.shell.view import change
from diet_explorer.ui.shell.workspace import open_workspace
from diet_explorer.workspace.exports import Export
from diet_explorer.workspace.run import Run

_MOST_LISTED = 100
_LIST_HEIGHT = 190
_MOST_ZIPPED = 200_000_000  # bytes; the server holds a download in memory


def draw_exports(run: Run, chosen: str | None) -> None:
    """Draw the list and the chosen export, by default the newest.

    Parameters
    ----------
    chosen : str or None
        Id of the export that the address names.
    """
    exports = open_workspace().exports(run)
    if not exports:
        st.html(
            '<div class="de-empty"><h2>No exports yet</h2><p>Here every export of this run will be listed, with its '
            "manifest, its files, and the way to the Hub. Start one on the right; it is written in the background.</p>"
            "</div>"
        )
        return
    shown = next((export for export in exports if export.id == chosen), exports[0])
    if chosen and shown.id != chosen:
        shown = open_workspace().export(chosen)
    with st.container(key="export-list", height=_LIST_HEIGHT if len(exports) > 2 else "content", gap=None):
        for export in exports[:_MOST_LISTED]:
            _draw_line(export, is_shown=export.id == shown.id)
    if len(exports) > _MOST_LISTED:
        st.html(f'<p class="de-quiet">and {words.whole(len(exports) - _MOST_LISTED)} older ones</p>')
    with st.container(key="export-details", gap="small"), error_boundary("export-details-error"):
        _draw_details(shown)


def _draw_line(export: Export, *, is_shown: bool) -> None:
    with st.container(key=f"line-{export.id}", horizontal=True, vertical_alignment="center", gap="small"):
        selected = " de-selected" if is_shown else ""
        options = "all rows" if export.options.all_rows else "rows that stay"
        facts = (
            format_title(export.options.format),
            options,
            export.progress().label,
            words.moment(export.created_at),
            export.by,
        )
        st.html(
            f'<div class="de-run{selected}"><p><b>{escape(cut_name(export.name))}</b> '
            f'<span class="de-quiet">{escape(" · ".join(facts))}</span></p></div>',
            width="stretch",
        )
        st.button(
            "Shown" if is_shown else "Show",
            key=f"show-{export.id}",
            type="tertiary",
            disabled=is_shown,
            on_click=change,
            kwargs={"export": export.id},
        )
        draw_menu(f"export:{export.id}", export.name, key=export.id)


def _draw_details(export: Export) -> None:
    progress = export.progress()
    if progress.is_active:
        watch_job(
            "export",
            export.progress,
            lambda progress: progress.stage,
            lambda: export.cancel(by=person()),
            label="Cancel export",
        )
        return
    if progress.state == "failed":
        show_failure(progress.error or "The export failed.", progress.remedy or "Export again.")
        return
    if progress.state == "cancelled":
        st.info("This export was cancelled; nothing is left of it. Start another one on the right.")
        return
    manifest = export.manifest
    size = sum(entry["bytes"] for entry in manifest["files"])
    rows = sum(entry["rows"] for entry in manifest["files"] if entry["split"] is not None)
    entries = [
        (words.whole(rows), "rows in " + counted(len([e for e in manifest["files"] if e["split"]]), "file")),
        (bytes_in_words(size), "in all"),
        (words.whole(manifest["relabelled"]), "with a new label"),
        (words.whole(sum(manifest["decisions"]["counts"].values())), "decisions taken into account"),
    ]
    st.html(
        f'<p class="de-quiet">{escape(export.policy.describe())}</p>{figures(entries, live=True)}'
        f'<p class="de-path"><span class="de-quiet">Folder</span> <code>{escape(export.folder)}</code></p>'
        f'<p class="de-path"><span class="de-quiet">Read it with</span> <code>{escape(export.reading_code)}</code></p>'
    )
    with st.container(key="export-actions", horizontal=True, vertical_alignment="center", gap="small"):
        _draw_download(export, size)
        with st.popover("Manifest", icon=":material/receipt_long:", key="export-manifest"):
            st.html(_files_html(manifest["files"]))
            st.html(f'<p class="de-quiet">To write it again: <code>{escape(manifest["replay"])}</code></p>')
            st.json(manifest, expanded=1)
    draw_hub(export)


def _draw_download(export: Export, size: int) -> None:
    if "://" in export.folder:
        return
    if size > _MOST_ZIPPED:
        st.html('<span class="de-quiet">Too large to download from here; take it from the folder.</span>')
        return
    st.download_button(
        "Download (ZIP)",
        data=export.archive,
        file_name=f"{export.id}.zip",
        mime="application/zip",
        key="download-export",
        icon=":material/download:",
        on_click="ignore",
    )


def _files_html(files: list[dict[str, object]]) -> str:
    lines = "".join(
        f"<tr><td>{escape(str(entry['path']))}</td>"
        f'<td class="de-figure">{words.whole(int(str(entry["rows"])))}</td>'
        f'<td class="de-figure">{bytes_in_words(int(str(entry["bytes"])))}</td>'
        f"<td><code>{escape(str(entry['sha256'])[:12])}</code></td></tr>"
        for entry in files
    )
    return (
        '<table class="de-list" aria-label="Files"><thead><tr><th>File</th><th class="de-figure">rows</th>'
        f'<th class="de-figure">size</th><th>SHA-256</th></tr></thead><tbody>{lines}</tbody></table>'
    )
