"""What our part of a dataset card says: what was pruned and why, scores, classes, proof, how to do it again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

from diet_explorer.data.notices import describe_ties, describe_votes
from diet_explorer.data.report import VoteSummary
from diet_explorer.pruning.export.columns import added_name
from diet_explorer.scoring import catalogue
from diet_explorer.store.decisions import NOTE
from diet_explorer.store.in_words import counted

if TYPE_CHECKING:
    import pandas as pd

BEGIN = "<!-- diet-explorer: begin"
MOST_CLASSES = 50
TRAIN = "train"
_ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~$])")


@dataclass(frozen=True)
class CardProof:
    """What retraining showed.

    Attributes
    ----------
    rows : sequence of mapping
        A table, column title to cell.
    verdicts : sequence of str
        Sentences.
    """

    rows: Sequence[Mapping[str, Any]] = ()
    verdicts: Sequence[str] = ()


def card_proof(table: pd.DataFrame) -> CardProof:
    """What a card says of a proof, from the table that `pruning.results.results_table` makes."""
    rows = [
        {
            "Policy": line["title"],
            "Kept": f"{line['kept']:,} ({line['share']:.1f} %)",
            "Seeds": line["seeds"],
            "Accuracy": _interval(line, "accuracy", "{:.3f}"),
            "Macro-F1": _interval(line, "macro_f1", "{:.3f}"),
            "Loss": _interval(line, "loss", "{:.3f}"),
            "Against random": _interval(line, "vs_random", "{:+.3f}"),
            "Against full data": _interval(line, "vs_full", "{:+.3f}"),
        }
        for line in table.to_dict("records")
    ]
    return CardProof(rows, [str(line["verdict"]) for line in table.to_dict("records")])


def section(manifest: Mapping[str, Any], proof: CardProof) -> str:
    """Our part of the card, in Markdown."""
    parts = [
        *(_pruned(manifest), _scores(manifest), _classes(manifest), _votes(manifest)),
        *(_proven(proof), _again(manifest)),
    ]
    return "\n\n".join(part for part in parts if part)


def _pruned(manifest: Mapping[str, Any]) -> str:
    train = [entry for entry in manifest["counts"] if entry["split"] == TRAIN]
    before, kept = sum(entry["before"] for entry in train), sum(entry["kept"] for entry in train)
    others = sorted({entry["split"] for entry in manifest["counts"]} - {TRAIN})
    lines = [
        "## How this dataset was pruned",
        "",
        f"**{_plain(manifest['policy_words'])}** {counted(kept, 'training example')} of {before:,} are kept "
        f"({_share(kept, before)}).",
    ]
    if others:
        lines.append(f"The other splits ({_plain(', '.join(others))}) are as they were.")
    if manifest["relabelled"]:
        relabelled = counted(manifest["relabelled"], "label")
        lines.append(f"People corrected {relabelled}; the column `original_label` has what stood there before.")
    if manifest["options"]["all_rows"]:
        lines.append("All examples are in the files; the columns `keep` and `reason` say which are meant.")
    if notes := added_name(manifest["columns"], NOTE):
        lines.append(f"The column `{notes}` has what people noted about examples while they reviewed them.")
    reasons = [(words, f"{rows:,}") for words, rows in manifest["reasons"].items() if rows]
    if reasons:
        lines += ["", _table(("Why", "Examples"), reasons)]
    if any(entry["path"] == "dropped.csv" for entry in manifest["files"]):
        lines += ["", "`dropped.csv` lists the ids of the dropped examples with the reason of each."]
    return "\n".join(lines)


def _scores(manifest: Mapping[str, Any]) -> str:
    used = manifest["scores"]
    columns = {entry["name"] for entry in manifest["columns"]} if manifest["options"]["all_rows"] else set()
    names = [name for name in catalogue.SCORE_NAMES if name in columns or name == used["name"]]
    if not names:
        return ""
    rows = []
    for name in names:
        score = catalogue.score(name)
        cells = (score.title, score.explanation, score.formula, score.range_text, score.direction)
        rows.append((*cells, _linked(score.source)))
    table = _table(("Score", "What it says", "Definition", "Range", "Direction", "Source"), rows, raw_columns={5})
    if used["name"] is None:
        return f"### Scores\n\n{table}"
    seed = "the mean over seeds" if used["seed"] is None else f"seed {used['seed']}"
    when = catalogue.checkpoint_title(used["checkpoint"])
    note = catalogue.checkpoint_note(used["checkpoint"])
    line = f"Pruned by {catalogue.score(used['name']).title}, {when}, {seed}." + (f" {note}" if note else "")
    return f"### Scores\n\n{line}\n\n{table}"


def _classes(manifest: Mapping[str, Any]) -> str:
    counts = sorted(
        (entry for entry in manifest["counts"] if entry["split"] == TRAIN), key=lambda entry: -int(entry["before"])
    )
    before, kept = sum(entry["before"] for entry in counts), sum(entry["kept"] for entry in counts)
    rows = [
        (
            entry["label"],
            f"{entry['before']:,}",
            _share(entry["before"], before),
            f"{entry['kept']:,}",
            _share(entry["kept"], kept),
        )
        for entry in counts[:MOST_CLASSES]
    ]
    table = _table(("Class", "Before", "Share before", "After", "Share after"), rows)
    more = len(counts) - MOST_CLASSES
    return f"### Classes of the training split\n\n{table}" + (
        f"\n\n… and {more:,} smaller classes." if more > 0 else ""
    )


def _votes(manifest: Mapping[str, Any]) -> str:
    if not (facts := manifest["dataset"].get("votes")):
        return ""
    votes = VoteSummary(**facts)
    sentences = [*describe_votes(votes), *([describe_ties(votes)] if votes.ties else [])]
    return f"### Labels by several people\n\n{_plain(' '.join(sentences))}"


def _proven(proof: CardProof) -> str:
    if not proof.rows:
        return ""
    titles = list(proof.rows[0])
    table = _table(titles, [[row.get(title, "") for title in titles] for row in proof.rows])
    table += "\n\nMeans over seeds with 95 % intervals; differences of accuracy, paired by seed."
    verdicts = "".join(f"- {_plain(sentence)}\n" for sentence in proof.verdicts)
    return f"### Proof by retraining\n\n{verdicts}\n{table}" if verdicts else f"### Proof by retraining\n\n{table}"


def _interval(line: Mapping[Any, Any], name: str, form: str) -> str:
    """A mean with its 95 % interval, which fewer than two seeds do not have."""
    mean, low, high = (float(line[f"{name}{end}"]) for end in ("", "_low", "_high"))
    if isnan(mean):
        return "–"
    return form.format(mean) if isnan(low) else f"{form} ({form} to {form})".format(mean, low, high)


def _again(manifest: Mapping[str, Any]) -> str:
    run, dataset, decisions = manifest["run"], manifest["dataset"], manifest["decisions"]
    versions = ", ".join(f"{name} {version}" for name, version in manifest["libraries"].items())
    states = ", ".join(f"{number:,} {state}" for state, number in decisions["counts"].items() if number)
    decided = f"{states or 'none'} (event {decisions['position']} of the ledger)" if decisions["used"] else "not used"
    facts = [
        ("Source", f"{dataset['name']}, SHA-256 {dataset['source']['sha256']}"),
        ("Content", dataset["content_hash"]),
        ("Model", run["model"] + (f", SHA-256 {run['model_sha256']}" if run.get("model_sha256") else "")),
        ("Seeds", ", ".join(str(seed) for seed in run["seeds"])),
        ("Checkpoints (epochs)", ", ".join(f"{checkpoint:g}" for checkpoint in run["checkpoints"])),
        ("Decisions", decided),
        *([("Guidelines", _guidelines(decisions["guidelines"]))] if "guidelines" in decisions else []),
        ("Result", f"SHA-256 {manifest['result_sha256']}"),
        ("Program", f"{manifest['program']['name']} {manifest['program']['version']} ({versions})"),
    ]
    return "\n".join(
        [
            "### How to do it again",
            "",
            "With `manifest.json` and the workspace that it names, the same bytes come out of",
            "",
            _code(manifest["replay"]),
            "",
            "It was made by",
            "",
            _code(manifest["command"]),
            "",
            _table(("", ""), facts),
        ]
    )


def _guidelines(facts: Mapping[str, Any]) -> str:
    """Which version is in force, and how many examples were decided by which."""
    by = [
        f"{entry['examples']:,} by " + ("none" if entry["version"] is None else f"version {entry['version']}")
        for entry in facts["examples"]
    ]
    decided = f"; examples decided: {', '.join(by)}" if by else ""
    return f"version {facts['version']} of {facts['written_at'][:10]}, SHA-256 {facts['sha256']}{decided}"


def _table(titles: Sequence[str], rows: Sequence[Sequence[object]], raw_columns: set[int] | None = None) -> str:
    raw = raw_columns or set()
    lines = [[_plain(title) for title in titles], ["---"] * len(titles)]
    lines += [[str(cell) if at in raw else _plain(cell) for at, cell in enumerate(row)] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(value: object) -> str:
    """A text that Markdown shows letter by letter, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(value).split()))


def _linked(source: str) -> str:
    return _ARXIV.sub(lambda match: f"[{match[0]}](https://arxiv.org/abs/{match[1]})", source)


def _code(command: str) -> str:
    line = " ".join(command.split())
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", line)), default=0))
    return f"{fence}\n{line}\n{fence}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"
