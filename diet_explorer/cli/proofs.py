"""Commands about proofs: prove, proof, proofs. `app` registers them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diet_explorer.cli import output as out
from diet_explorer.cli.finding import find_proof, find_run
from diet_explorer.cli.options import JsonOption, RunArgument, WaitOption, WorkspaceOption, open_workspace
from diet_explorer.cli.runs import run_facts, wait_for_run
from diet_explorer.errors import BadInputError

if TYPE_CHECKING:
    from diet_explorer.pruning.policies import Policy
    from diet_explorer.workspace.proof import Proof, ProofProgress
    from diet_explorer.workspace.run import Run
    from diet_explorer.workspace.workspace import Workspace

ProofArgument = Annotated[str, typer.Argument(metavar="PROOF", help="Id, beginning of an id, or: last.")]


def prove_command(
    name: RunArgument,
    policies: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LIST",
            help="Kinds with settings, such as window:hardest=5,hardest:checkpoint=1,decisions, or the name of a saved "
            "policy; repeat for more.",
        ),
    ] = None,
    fractions: Annotated[
        str, typer.Option(metavar="LIST", help='Kept shares in per cent; "" takes each policy as it is.')
    ] = "30,50,70",
    seeds: Annotated[
        int | None,
        typer.Option(
            help="Trainings per policy and share, 3 or more; with --until-decided at most so many.",
            show_default="3, or 20 with --until-decided",
        ),
    ] = None,
    until_decided: Annotated[
        bool,
        typer.Option(
            "--until-decided",
            help="Go on seed by seed until every policy is decided against random of its size and against full data, "
            "with intervals that may be looked at at any time.",
        ),
    ] = False,
    precision: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS",
            help="With --until-decided: no difference is decided once one is known to so many points of accuracy.",
            show_default="0.5",
        ),
    ] = None,
    hold_out: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT",
            help="For sets without a test split: instead of proving, score once more with so much of the training "
            "split held out; then prove with that run.",
        ),
    ] = None,
    wait: WaitOption = True,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train again on what policies keep, on random of the same size and on all, and compare on the test split."""
    shares = _fractions(fractions)
    if precision is not None and not until_decided:
        raise BadInputError("--precision belongs to --until-decided.", "Give both, or neither.")
    workspace = open_workspace(home)
    from diet_explorer.jobs.slots import workers_in_words

    run = find_run(workspace, name)
    if hold_out is not None:
        held = run.proofs.hold_out(hold_out)
        if wait:
            wait_for_run(held, workspace)
        line = f"{held.name}: {held.refresh().status}. Next: diet-explorer prove {held.id} --policies …"
        out.print_result(run_facts(held), line, as_json=as_json)
        return
    from diet_explorer.pruning.deciding import PRECISION

    points = PRECISION if precision is None else precision
    chosen = _policies(run, policies or [])
    proof = run.proofs.start(chosen, shares, seeds, until_decided=until_decided, precision=points)
    if not wait:
        if as_json:
            out.print_json(_proof_facts(proof))
        else:
            most = "at most " if until_decided else ""
            words = f"{most}{len(proof.trainings)} trainings. {workers_in_words(workspace.settings)}"
            out.print_line(f"Queued {proof.id}: {words} See diet-explorer proof {proof.id}")
        return
    out.note(f"Proving with {run.id} as {proof.id}")
    _follow_proof(proof, workspace)
    _print_proof(proof, as_json)


def proof_command(
    name: ProofArgument,
    cancel: Annotated[bool, typer.Option("--cancel", help="Stop its trainings; what is done stays.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Queue cancelled and failed trainings again.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end, with a worker of its own.")] = False,
    home: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how far a proof is and what it says; cancel or resume it."""
    if cancel and (resume or wait):
        raise BadInputError("--cancel stands alone.", "Leave out --resume and --wait.")
    workspace = open_workspace(home)
    proof = find_proof(workspace, name)
    if cancel:
        proof.cancel()
    if resume:
        proof.resume()
    if wait:
        _follow_proof(proof, workspace)
    _print_proof(proof, as_json)


def proofs_command(home: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the proofs, newest first."""
    proofs = open_workspace(home).proofs()
    if as_json:
        out.print_json([_proof_facts(proof) for proof in proofs])
        return
    rows = []
    for proof in proofs:
        progress = proof.progress()
        done = progress.describe().removesuffix(" trainings")
        rows.append((proof.id, progress.status, done, out.ago(proof.created_at), proof.run_id))
    if rows:
        out.print_table(("proof", "status", "trainings", "created", "run"), rows)
        out.note_delays(proof.progress().delay for proof in proofs)
    else:
        out.print_line("No proofs yet. Start one with: diet-explorer prove RUN --policies window:hardest=5")


def _follow_proof(proof: Proof, workspace: Workspace) -> None:
    """Show a proof's progress until it ends, with a worker of our own where there is none.

    On Ctrl-C the trainings go on in a worker that does not belong to this command, and are cancelled otherwise.

    Raises
    ------
    JobFailedError, JobCancelledError
        A training ended without a result, or no worker can be kept alive.
    KeyboardInterrupt
        The user has had enough.
    """
    from diet_explorer.cli.following import follow, some_worker, time_left

    if not proof.progress().is_active:  # all of it was trained before
        proof.wait()
        return

    def in_words(progress: ProofProgress) -> tuple[str, str]:
        words = f"{proof.id}: {progress.describe()}"
        return f"{words} · {progress.share:.0%}{time_left(progress.seconds_left, at_most=progress.at_most)}", words

    with some_worker(workspace) as child:
        try:
            follow(proof.progress, in_words, child)
        except KeyboardInterrupt:
            if child is not None:
                proof.cancel()
                out.note(f"Cancelled. Go on with: diet-explorer proof {proof.id} --resume --wait")
            raise
    proof.wait()


def _print_proof(proof: Proof, as_json: bool) -> None:
    """Print results so far, for people or as JSON."""
    if as_json:
        out.print_json(_proof_facts(proof))
        return
    progress = proof.progress()
    where = f"{proof.evaluated:,} examples ({proof.evaluated_on})"
    out.print_facts(
        {
            "proof": proof.id,
            "run": proof.run_id,
            "status": f"{progress.status}, {progress.describe()}",
            "intervals": proof.intervals,
            "trained": f"{proof.steps:,} steps each, evaluated on {where}",
            **out.delay_fact(progress.delay),
        }
    )
    rows = [
        (
            row["title"],
            f"{row['kept']:,}",
            f"{row['share']:.1f} %",
            row["seeds"],
            _percent(row, "accuracy"),
            "" if row["loss"] != row["loss"] else f"{row['macro_f1']:.3f}",
            "" if row["loss"] != row["loss"] else f"{row['loss']:.3f}",
            _percent(row, "vs_random", sign="+"),
            _percent(row, "vs_full", sign="+"),
        )
        for row in proof.table().to_dict("records")
    ]
    columns = ("trained on", "kept", "share", "seeds", "accuracy, %", "macro-F1", "loss", "to random", "to full data")
    out.print_table(columns, rows)
    for words in proof.verdicts():
        out.print_line(words)
    for entry in progress.trainings:
        if entry.error:
            out.note(f"{entry.title}, seed {entry.training.seed}: {entry.error} {entry.remedy or ''}")


def _proof_facts(proof: Proof) -> dict[str, Any]:
    """A proof in plain values, for JSON."""
    progress = proof.progress()
    table = proof.table().astype(object)
    return {
        "id": proof.id,
        "run": proof.run_id,
        "created_at": proof.created_at,
        "status": progress.status,
        "done": progress.done,
        "total": progress.total,
        "at_most": progress.at_most,
        "seconds_left": progress.seconds_left,
        "delay": None if progress.delay is None else asdict(progress.delay),
        "seeds": proof.seeds,
        "until_decided": proof.until_decided,
        "comparisons": proof.comparisons,
        "steps": proof.steps,
        "evaluated_on": proof.evaluated_on,
        "evaluated": proof.evaluated,
        "arms": table.where(table.notna(), None).to_dict("records"),
        "trainings": [
            {
                "arm": entry.training.variant,
                "title": entry.title,
                "seed": entry.training.seed,
                "run": entry.training.run_id,
                "status": entry.status,
                "error": entry.error,
                "remedy": entry.remedy,
            }
            for entry in progress.trainings
        ],
    }


def _fractions(text: str) -> list[float]:
    from diet_explorer.pruning.proof import checked_fractions

    try:
        return list(checked_fractions([float(part) for part in text.split(",") if part.strip()]))
    except ValueError:
        raise BadInputError(f"The kept shares {text!r} cannot be read.", "List per cents, such as 30,50,70.") from None


def _policies(run: Run, texts: list[str]) -> list[Policy]:
    """Policies as written; a text that is the whole name of a saved policy is that one."""
    from diet_explorer.pruning.policies import Policy

    saved = {entry.name: entry.policy for entry in run.pruning.policies()}
    policies: list[Policy] = []
    for text in texts:
        parts = [text] if text in saved else [part.strip() for part in text.split(",") if part.strip()]
        policies += [saved[part] if part in saved else Policy.from_text(part) for part in parts]
    if not policies:
        raise BadInputError("No policy is named.", "Give one or more with --policies, such as window:hardest=5.")
    return policies


def _percent(row: dict[Any, Any], name: str, sign: str = "") -> str:
    """A mean and its interval in per cent or points; empty where there is none."""
    mean, low, high = (100 * row[key] for key in (name, f"{name}_low", f"{name}_high"))
    if mean != mean:
        return ""
    return f"{mean:{sign}.1f}" if low != low else f"{mean:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"
