"""Does it find real label errors? Average precision of every witness, of their combination, and of cleanlab's recipe.

The set is scored as a user would score it: seeds of a fine-tuned model, then a k-fold training. Truth is what human
raters say; it is read here alone, after everything has been trained. cleanlab's text recipe: sentence embeddings of the
same model, logistic regression, 5-fold, `get_label_quality_scores`.

    python -m tests.benchmarks.label_errors --texts ../shared/data/movie_snippets_human.csv.gz --workspace FOLDER

The file has columns ``id, text, label``, and either ``raters_positive, raters_negative`` (how many raters say so; an
example counts as wrong where the majority contradicts its label) or the true class in a column named by ``--truth``.
With ``--simulated KIND`` the labels are those of an annotator who errs in a known way (`simulated_annotators`) instead.
What the workspace already has is not trained again.

Two more questions are answered of the set: does more evidence make the ranking worse (paired differences of average
precision), and does the estimate of the wrong labels among the first suspects hold.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from diet_explorer import Workspace
from diet_explorer.analysis.neighbours import store_neighbours
from diet_explorer.analysis.suspects.calibration import ERRORS, expected
from diet_explorer.analysis.suspects.evidence import EPOCH_WEIGHT, Evidence, heard
from diet_explorer.analysis.suspects.noise import precision_at
from diet_explorer.analysis.suspects.suspicions import combined, suspicions
from diet_explorer.analysis.suspects.table import doubts_of, suspect_table
from diet_explorer.analysis.suspects.witnesses import witness
from diet_explorer.cli.runs import wait_for_run
from diet_explorer.scoring.metrics import trailing
from diet_explorer.scoring.representations import store_initial_embeddings
from diet_explorer.store.embeddings import EmbeddingFiles
from diet_explorer.store.scores import logits_of
from diet_explorer.workspace.run import Run
from tests.benchmarks.simulated_annotators import ANNOTATORS, simulated

TOPS = (0.01, 0.02, 0.05)
RESAMPLES = 500
DENSE = 0.5  # epochs between checkpoints
FIRST = 100
DECIDED = (0, 10, 30, 60)
NAME = "label errors"


def contradicted(table: pd.DataFrame, truth: str | None) -> np.ndarray:
    """Examples whose label people contradict."""
    if truth is not None:
        return (table[truth].astype(str) != table["label"].astype(str)).to_numpy()
    up, down = table["raters_positive"], table["raters_negative"]
    return np.where(table["label"] == "positive", down > up, up > down)


def scored(workspace: Workspace, table: pd.DataFrame, arguments: argparse.Namespace) -> Run:
    """The run with its folds, trained where they are not there yet."""
    known = [run for run in workspace.runs() if run.name == NAME]
    if not known:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "texts.csv"
            table[["id", "text", "label"]].to_csv(path, index=False)  # nothing that people said of the labels
            dataset = workspace.import_dataset(path, text="text", label="label", id="id", name=NAME)
        points = tuple(np.arange(1.0, arguments.epochs + DENSE / 2, DENSE).tolist())
        known = [
            workspace.score(
                dataset,
                epochs=arguments.epochs,
                seeds=arguments.seeds,
                checkpoints=points,
                grand=arguments.grand,
                model=arguments.model,
                name=NAME,
            )
        ]
    run = known[0]
    if run.status in ("failed", "cancelled"):
        run.resume()
    wait_for_run(run, workspace)
    folds = run.audit.fold_run()
    if folds is None and arguments.folds:
        folds = run.audit.folds(arguments.folds, arguments.repeats)
    elif folds is not None and folds.status in ("failed", "cancelled"):
        folds.resume()
    if folds is not None:
        wait_for_run(folds, workspace)
    embeddings = EmbeddingFiles(workspace.context.files, run.id)
    if not embeddings.has_neighbours("initial"):
        scratch = workspace.settings.scratch_folder
        store_initial_embeddings(embeddings, run.config, run.dataset.manifest, scratch, lambda done: None)
        store_neighbours(embeddings, run.dataset.manifest, "initial")
    return run.refresh()


def cleanlab_recipe(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How suspicious each label is to cleanlab's recipe for texts."""
    from cleanlab.rank import get_label_quality_scores

    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    model = LogisticRegression(max_iter=1000)
    believed = cross_val_predict(model, vectors.astype(np.float32), labels, cv=folds, method="predict_proba")
    return -get_label_quality_scores(labels, believed)


def single_models(run: Run, wrong: np.ndarray) -> pd.DataFrame:
    """Average precision of EL2N of one model at a time, trained on the examples or not."""
    found = []
    for seed, points in run.landed().items():
        for point in points:
            table = pq.read_table(run.store.paths.scores(seed, point), columns=["el2n"])
            found.append((f"EL2N after epoch {point:g}", average_precision_score(wrong, table["el2n"].to_numpy())))
    frame = pd.DataFrame(found, columns=["what", "ap"])
    return frame.groupby("what")["ap"].agg(["min", "max"]).reset_index()


def with_interval(wrong: np.ndarray, values: np.ndarray) -> tuple[float, float, float]:
    """Average precision, and the middle 95 % of it over resamples of the examples."""
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(RESAMPLES):
        rows = random.integers(0, len(wrong), len(wrong))
        drawn.append(average_precision_score(wrong[rows], values[rows]))
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return average_precision_score(wrong, values), float(low), float(high)


def report(run: Run, evidence: Evidence, wrong: np.ndarray, vectors: np.ndarray) -> str:
    """The table, in Markdown, best first."""
    found = {witness(name).title: values for name, values in suspicions(evidence).items()}
    found["cleanlab's text recipe"] = cleanlab_recipe(vectors, evidence.labels)
    found["All models of the run, without folds"] = combined(replace(evidence, folds_seen=None, unseen=None))
    lines = []
    for title, values in found.items():
        ap, low, high = with_interval(wrong, values.astype(np.float64))
        tops = [precision_at(wrong, values, max(1, round(top * len(wrong)))) for top in TOPS]
        cells = "".join(f" {value:.1%} |" for value in tops)
        lines.append((ap, f"| {title} | {ap:.3f} | {low:.3f} to {high:.3f} |{cells}"))
    head = "| witness | average precision | 95 % interval | top 1 % | top 2 % | top 5 % |\n|---|---|---|---|---|---|\n"
    body = "\n".join(line for _, line in sorted(lines, reverse=True))
    chance = f"| chance | {wrong.mean():.3f} | |" + f" {wrong.mean():.1%} |" * len(TOPS)
    return f"{head}{body}\n{chance}"


def more_and_more(run: Run, evidence: Evidence) -> dict[str, np.ndarray]:
    """The ranking by ever more evidence, a seed, seeds, folds, as the product makes it; and plain EL2N beside it."""
    first, points = next(iter(run.landed().items()))
    ends = heard(points)
    read = [run.store.read_scores(first, point, ["logits"]) for point in ends]
    single = [trailing(logits_of(table)[evidence.rows], evidence.labels) for table in read]
    plain = [
        run.store.read_scores(seed, point, ["el2n"])["el2n"].to_numpy()[evidence.rows]
        for seed, landed in run.landed().items()
        for point in heard(landed)
    ]
    found = {
        "one seed": np.average(single, axis=0, weights=[EPOCH_WEIGHT**place for place in range(len(ends))]),
        "all seeds": combined(replace(evidence, folds_seen=None, unseen=None)),
        "all seeds, EL2N of every epoch alike (not done)": np.mean(plain, axis=0),
    }
    if evidence.unseen is not None:
        found["all seeds, folds"] = combined(evidence)
    return found


def steps_report(wrong: np.ndarray, steps: dict[str, np.ndarray]) -> str:
    """Average precision of each, and by how much it differs from that of all seeds on the same resamples."""
    random = np.random.default_rng(0)
    resamples = [random.integers(0, len(wrong), len(wrong)) for _ in range(RESAMPLES)]
    drawn = {
        title: np.array([average_precision_score(wrong[rows], values[rows]) for rows in resamples])
        for title, values in steps.items()
    }
    plain = average_precision_score(wrong, steps["all seeds"])
    lines = []
    for title, values in steps.items():
        ap = average_precision_score(wrong, values)
        low, high = np.nanquantile(drawn[title] - drawn["all seeds"], [0.025, 0.975])
        lines.append(f"| {title} | {ap:.3f} | {ap - plain:+.3f} ({low:+.3f} to {high:+.3f}) |")
    return "| evidence | average precision | against all seeds |\n|---|---|---|\n" + "\n".join(lines)


def calibration_report(evidence: Evidence, wrong: np.ndarray) -> str:
    """How many of the first suspects are wrong, and how many are said to be when people have decided about some."""
    table = suspect_table(evidence)
    places = table["place_combined"].to_numpy()
    first, doubt = places <= FIRST, doubts_of(table)
    lines = [f"Of the first {FIRST} suspects {wrong[first].sum()} are wrong; estimated with the first of them decided:"]
    for decided in DECIDED:
        outcomes = np.where(places <= decided, wrong.astype(float), np.nan)
        result = expected(doubt, outcomes, first, ERRORS)
        lines.append(f"- {decided} decided: {result.estimate:.0f} ({result.low} to {result.high})")
    return "\n".join(lines)


def main() -> None:
    """Train what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--truth", help="column of the true class")
    parser.add_argument("--simulated", choices=sorted(ANNOTATORS), help="annotator who errs in a known way")
    parser.add_argument("--rows", type=int, default=3600, help="of a simulated set")
    parser.add_argument("--workspace", type=Path, required=True, help="kept, so that a second call trains nothing")
    parser.add_argument("--model", default="bundled", help="folder or name of the backbone")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folds", type=int, default=4, help="0 for none")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--grand", choices=["all", "head", "off"], default="all")
    arguments = parser.parse_args()

    table = pd.read_csv(arguments.texts, dtype={"id": str})
    if arguments.simulated:
        table, arguments.truth = simulated(table, arguments.simulated, arguments.rows), "truth"
    workspace = Workspace(arguments.workspace)
    run = scored(workspace, table, arguments)
    evidence = run.audit.evidence()
    ids = run.dataset.examples()["id"].to_numpy()[evidence.rows]
    wrong = contradicted(table.set_index("id").loc[ids].reset_index(), arguments.truth)
    vectors = EmbeddingFiles(workspace.context.files, run.id).read_vectors("initial")[evidence.rows]
    folds = run.audit.fold_run()
    print(
        f"{len(wrong):,} training examples, {wrong.sum():,} ({wrong.mean():.1%}) contradicted by people; "
        f"{run.config.seeds} seeds, {0 if folds is None else folds.config.seeds} fold models, "
        f"{run.config.epochs} epochs; suspects at {run.default_checkpoint():g} epochs.\n"
    )
    print(report(run, evidence, wrong, vectors))
    print(f"\nDoes more evidence make it worse?\n\n{steps_report(wrong, more_and_more(run, evidence))}")
    print(f"\n{calibration_report(evidence, wrong)}")
    print("\nOne model at a time, over the seeds:")
    for line in single_models(run, wrong).itertuples():
        print(f"- {line.what}: {line.min:.3f} to {line.max:.3f}")


if __name__ == "__main__":
    main()
