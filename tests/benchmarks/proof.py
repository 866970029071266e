"""Four claims of the papers on pruning by EL2N, on real film snippets and with a share of their labels flipped.

1. Scores from before the end of the first epoch prune worse than scores from after it.
2. Dropping a small share of the highest scores beats full data when labels are noisy.
3. Keeping the hardest loses to random at a small kept share.
4. The examples with the highest early scores are skewed in their classes.

Everything goes through the product: runs, `Run.proofs.start`, a worker. What is done stays in the folder, so that the
benchmark may be interrupted and started again at any time, or done in parts (`--parts`).

python -m tests.benchmarks.proof --folder proofs                              # two processor cores: about half an hour
python -m tests.benchmarks.proof --folder proofs --report --figure proof.png  # only what is there by now
python -m tests.benchmarks.proof --folder large --train 6000 --test 2400 --seeds 5 --epochs 3 \\
    --batch-size 32 --learning-rate 5e-5                                      # a GPU: it is used where there is one
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from diet_explorer.cli.following import keep_alive, some_worker
from diet_explorer.pruning.policies import Policy
from diet_explorer.pruning.proof import Interval, mean_interval, paired_difference
from diet_explorer.workspace.proof import Proof
from diet_explorer.workspace.run import Run
from diet_explorer.workspace.workspace import Workspace

TEXTS = "../shared/data/movie_snippets_human.csv.gz"
EARLY, AFTER = 0.1, 1.0
TOP = 10
SMALL, LARGE, DROPPED = 30, 70, 10
WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class Part:
    """Trainings that belong together; `noise` is the per cent of training labels that are flipped."""

    name: str
    noise: int
    policies: tuple[Policy, ...]
    fraction: float | None


EARLY_HARDEST, HARDEST = (Policy("hardest", checkpoint=point) for point in (EARLY, AFTER))
WINDOW = Policy("window", drop_hardest=DROPPED, checkpoint=AFTER)
PARTS = (
    Part("large share", 0, (EARLY_HARDEST, HARDEST), LARGE),
    Part("small share", 0, (HARDEST,), SMALL),
    Part("noise 20", 20, (WINDOW,), None),
    Part("noise 10", 10, (WINDOW,), None),
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--texts", default=TEXTS)
    parser.add_argument("--parts", nargs="+", default=[part.name for part in PARTS])
    parser.add_argument("--train", type=int, default=512)
    parser.add_argument("--test", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--report", action="store_true", help="train nothing, print what is there")
    parser.add_argument("--figure", type=Path, help="write a figure as PNG")
    options = parser.parse_args()
    workspace = Workspace(options.folder)
    if not options.report:
        with some_worker(workspace) as worker:
            for part in PARTS:
                if part.name in options.parts:
                    last = ""
                    for words in carry_out(workspace, part, options):
                        if words != last:
                            print(f"{time.strftime('%H:%M:%S')} {part.name}: {words}", flush=True)
                        last = words
                        keep_alive(worker)
                        time.sleep(WAIT_SECONDS)
    proofs = known_proofs(workspace)
    print(report(workspace, proofs))
    if options.figure:
        draw(proofs, options.figure)


def carry_out(workspace: Workspace, part: Part, options: argparse.Namespace) -> Iterator[str]:
    """Score and prove; yields what is going on, again and again, until all of it is done."""
    run = scored_run(workspace, part.noise, options)
    while (progress := run.progress()).status in ("queued", "running"):
        yield f"scoring, {progress.share:.1f} of it done"
    run.wait()
    fractions = () if part.fraction is None else (part.fraction,)
    proof = run.proofs.start(part.policies, fractions, options.seeds)
    known = proofs_file(workspace)
    listed = json.loads(known.read_text()) if known.exists() else {}
    known.write_text(json.dumps({**listed, part.name: proof.id}))
    while (found := proof.progress()).is_active:
        yield f"{found.done} of {found.total} trainings"
    proof.wait()


def scored_run(workspace: Workspace, noise: int, options: argparse.Namespace) -> Run:
    """The run on the data with so much noise: an earlier one, taken up again if need be, or a new one."""
    name = f"{noise} % flipped"
    known = next((run for run in workspace.runs() if run.name == name), None)
    if known is not None:
        return known.resume() if known.status in ("failed", "cancelled") else known
    source = options.folder / f"noise-{noise}.csv"
    reduced(pd.read_csv(options.texts), options.train, options.test, noise).to_csv(source, index=False)
    dataset = workspace.import_dataset(source, text="text", label="label", id="id", split="split")
    return workspace.score(
        dataset,
        model=options.model,
        epochs=options.epochs,
        seeds=options.seeds,
        checkpoints=sorted({EARLY, AFTER, float(options.epochs)}),
        grand="off",
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        max_length=48,
        name=name,
    )


def reduced(frame: pd.DataFrame, train: int, test: int, noise: int) -> pd.DataFrame:
    """Some rows for training and others for the test, the same for every noise; training labels flipped."""
    random = np.random.default_rng(0)
    chosen = frame.iloc[random.permutation(len(frame))[: train + test]].reset_index(drop=True)
    chosen["split"] = np.where(np.arange(len(chosen)) < train, "train", "test")
    flipped = random.permutation(train)[: round(train * noise / 100)]
    other = {"negative": "positive", "positive": "negative"}
    chosen.loc[flipped, "label"] = chosen.loc[flipped, "label"].map(other)
    return chosen[["id", "text", "label", "split"]]


def proofs_file(workspace: Workspace) -> Path:
    return workspace.settings.home_folder / "parts.json"


def known_proofs(workspace: Workspace) -> dict[str, Proof]:
    """The proof of each part that was begun."""
    known = proofs_file(workspace)
    listed = json.loads(known.read_text()) if known.exists() else {}
    return {name: workspace.proof(number) for name, number in listed.items()}


def report(workspace: Workspace, proofs: dict[str, Proof]) -> str:
    """Tables of all variants and what they say on the claims, as Markdown."""
    lines = []
    for name, proof in proofs.items():
        run = workspace.run(proof.run_id)
        done = f"{proof.progress().done} of {len(proof.trainings)} trainings"
        lines += [f"\n{name}: {run.name}, {proof.steps} steps each, {proof.evaluated:,} test examples, {done}"]
        lines += ["| training examples | n | seeds | accuracy, % | loss | to random | to full data |"]
        lines += ["|---|---:|---:|---:|---:|---:|---:|"]
        for _, row in proof.table().iterrows():
            cells = (spread(row, "accuracy"), f"{row['loss']:.3f}", spread(row, "vs_random"), spread(row, "vs_full"))
            lines.append(f"| {row['title']} | {row['kept']:,} | {row['seeds']} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *claims(workspace, proofs)])


def spread(row: pd.Series, name: str) -> str:
    """Mean and interval of one column, in per cent or points."""
    if np.isnan(row[name]):
        return "–"
    sign = "+" if name.startswith("vs_") else ""
    return f"{100 * row[name]:{sign}.1f} [{100 * row[f'{name}_low']:{sign}.1f}, {100 * row[f'{name}_high']:{sign}.1f}]"


def claims(workspace: Workspace, proofs: dict[str, Proof]) -> list[str]:
    """What the results say on each claim, as far as they are there."""
    lines = []
    if "large share" in proofs:
        early, after = (policy_number(proofs["large share"], point) for point in (EARLY, AFTER))
        results = proofs["large share"].results()
        difference = paired_difference(results[early], results[after])
        lines.append(
            says(f"1. Hardest {LARGE} % by scores at {EARLY} epochs against after one", difference, below=True)
        )
        lines.append(says("   the early ones against random", against_random(proofs["large share"], early), below=True))
    for noise in (10, 20):
        if f"noise {noise}" in proofs:
            proof = proofs[f"noise {noise}"]
            results = proof.results()
            number = policy_number(proof, AFTER)
            what = f"hardest {DROPPED} % dropped, {noise} % of the labels flipped,"
            lines.append(says(f"2. {what} against full data", paired_difference(results[number], results[0])))
            lines.append(says("   the same against random of the same size", against_random(proof, number)))
    if "small share" in proofs:
        proof = proofs["small share"]
        number = policy_number(proof, AFTER)
        difference = against_random(proof, number)
        lines.append(says(f"3. Hardest {SMALL} % after one epoch against random", difference, below=True))
    if "large share" in proofs:
        lines += skew(workspace.run(proofs["large share"].run_id))
    return lines


def policy_number(proof: Proof, checkpoint: float) -> int:
    """The variant whose policy reads the scores of a checkpoint."""
    return next(
        n
        for n, variant in enumerate(proof.variants)
        if variant.policy is not None and variant.policy.checkpoint == checkpoint
    )


def against_random(proof: Proof, number: int) -> Interval:
    """Paired difference of a variant to random of its size."""
    results, size = proof.results(), proof.variants[number].size
    drawn = next(n for n, variant in enumerate(proof.variants) if variant.kind == "random" and variant.size == size)
    return paired_difference(results[number], results[drawn])


def says(what: str, difference: Interval, *, below: bool = False) -> str:
    """One line: the difference, and whether it shows what the papers report."""
    points = f"{100 * difference.mean:+.1f} points [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
    if difference.holds_zero:
        return f"{what}: {points}, {difference.seeds} seeds: no difference seen, the claim does not show here."
    shows = (difference.mean < 0) == below
    return f"{what}: {points}, {difference.seeds} seeds: {'as the papers report' if shows else 'the other way round'}."


def skew(run: Run) -> list[str]:
    """Share of the larger class among the examples with the highest scores, at every checkpoint."""
    labels = run.dataset.examples().query("split == 'train'")["label"]
    base = 100 * labels.value_counts(normalize=True).max()
    lines = [f"4. Share of the larger class among the {TOP} % with the highest EL2N (of all: {base:.1f} %):"]
    for point in run.checkpoints():
        shares = []
        for seed in run.landed():
            top = run.ranked(checkpoint=point, seed=seed, limit=round(len(labels) * TOP / 100))["label"]
            shares.append(100 * top.value_counts(normalize=True).max())
        found = mean_interval(shares)
        lines.append(f"   after {point:g} epochs {found.mean:.1f} % [{found.low:.1f}, {found.high:.1f}]")
    return lines


def draw(proofs: dict[str, Proof], target: Path) -> None:
    """Left: accuracy against the kept share. Right: full data, random and the window, by noise."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    from tests.benchmarks.figure import save_png

    titles = ("Published labels: keep the hardest", f"Flipped labels: drop the hardest {DROPPED} %")
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.06)
    for place, table in ((1, shares_table(proofs)), (2, noise_table(proofs))):
        for name, colour, symbol in SERIES:
            rows = table[table["series"] == name] if len(table) else table
            if len(rows):
                bars = {name: 100 * (rows[f"accuracy_{name}"] - rows["accuracy"]).abs() for name in ("high", "low")}
                figure.add_trace(
                    go.Scatter(
                        x=rows["x"],
                        y=100 * rows["accuracy"],
                        error_y={"array": bars["high"], "arrayminus": bars["low"], "thickness": 1.2},
                        name=name,
                        legendgroup=name,
                        showlegend=place == 1 or name not in set(shares_table(proofs).get("series", [])),
                        mode="lines+markers",
                        marker={"color": colour, "symbol": symbol, "size": 10},
                        line={"color": colour, "width": 1.5},
                    ),
                    row=1,
                    col=place,
                )
    figure.update_xaxes(title="kept, % of the training examples", row=1, col=1)
    figure.update_xaxes(title="flipped, % of the training labels", row=1, col=2)
    figure.update_yaxes(title="test accuracy, % (95 % interval)", row=1, col=1)
    figure.update_layout(template="plotly_white", font={"family": "DejaVu Sans, sans-serif", "size": 13})
    figure.update_layout(margin={"l": 10, "r": 10, "t": 40, "b": 90}, legend={"orientation": "h", "y": -0.25})
    save_png(figure, target, {"width": 900, "height": 400})


SERIES = (
    ("full data", "#444444", "diamond"),
    ("random", "#B8BEC6", "circle"),
    ("hardest, scores after 1 epoch", "#0072B2", "square"),
    (f"hardest, scores after {EARLY} epochs", "#E69F00", "x"),
    (f"without the hardest {DROPPED} %", "#009E73", "square"),
)


def shares_table(proofs: dict[str, Proof]) -> pd.DataFrame:
    """Lines of the left part of the figure."""
    names = {None: None, AFTER: SERIES[2][0], EARLY: SERIES[3][0]}
    frames = []
    for name in ("small share", "large share"):
        if name in proofs:
            table, variants = proofs[name].table(), proofs[name].variants
            kinds = {"full": SERIES[0][0], "random": SERIES[1][0]}
            table["series"] = [
                kinds.get(variant.kind) or names[variant.policy.checkpoint if variant.policy else None]
                for variant in variants
            ]
            frames.append(table.assign(x=table["share"]))
    table = pd.concat(frames) if frames else pd.DataFrame()
    return table.drop_duplicates(["series", "x"]).sort_values("x") if len(table) else table


def noise_table(proofs: dict[str, Proof]) -> pd.DataFrame:
    """Lines of the right part of the figure."""
    frames = []
    for noise in (10, 20):
        if f"noise {noise}" in proofs:
            table = proofs[f"noise {noise}"].table()
            kinds = {"full": SERIES[0][0], "random": SERIES[1][0], "policy": SERIES[4][0]}
            frames.append(table.assign(series=table["kind"].map(kinds), x=noise))
    return pd.concat(frames) if frames else pd.DataFrame()


if __name__ == "__main__":
    main()
