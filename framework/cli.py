"""The commands. Each is thin: it reads what the person gave, calls one function and prints what it returns.

Heavy libraries are imported inside the commands, so that `modulingua --help` answers at once.
"""

from pathlib import Path
from typing import Annotated

import typer

from framework.errors import exit_on_user_error
from framework.store.commands import components, use_hub
from framework.system.console import console as _console
from framework.system.console import flushed_output
from framework.system.launchers import forget_ranks

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # frames around the help, which cost a third of its time
)
app.add_typer(components, name="components")

ExperimentFile = Annotated[Path, typer.Argument(metavar="EXPERIMENT.yaml", help="The experiment.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]…", help="Settings that override the file.")]


@app.callback()
def modulingua(context: typer.Context) -> None:
    """Modular cross-lingual transfer: train language and task components once, compose them, test them zero-shot."""
    if context.invoked_subcommand not in {"compare", "components"}:  # `compare` reads files only
        use_hub()


@app.command()
def run(experiment: ExperimentFile, overrides: Overrides = None) -> None:
    """Run the plan on this machine; finished stages are skipped."""
    from framework.execution.runner import run_experiment
    from framework.reports.compare.final_table import print_final_table

    console = _console()
    print_final_table(run_experiment(experiment, overrides or [], console), console)


@app.command()
def plan(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="List every stage.")] = False,
    data: Annotated[
        bool, typer.Option("--data", help="Only read all rows that the plan still needs; list the unusable ones.")
    ] = False,
) -> None:
    """Show what would run, and every mistake; train nothing.

    Lists the stages, with the parameters that they train and their steps.
    """
    from framework.planning.data_check import check_rows
    from framework.planning.plan import plan_experiment
    from framework.reports.plan_table import print_plan

    planned = plan_experiment(experiment, overrides or [], here=not data)
    read = check_rows(planned, _console(), whole=data)
    if data:
        _console().print(str(read), highlight=False, markup=False, soft_wrap=True)
    else:
        print_plan(planned, _console(), verbose=verbose)


@app.command()
def explain(experiment: ExperimentFile, overrides: Overrides = None) -> None:
    """Explain in full what would run.

    Shows the origin of each setting, the components by layer, tokenised examples, the optimisers and the jobs.
    """
    from framework.reports.explain.explanation import explain as explain_experiment

    explain_experiment(experiment, overrides or [], _console())


@app.command()
def launch(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the scripts; write and submit nothing.")] = False,
) -> None:
    """Submit what is left of the plan to SLURM.

    The jobs wait for each other.
    """
    from framework.slurm.launch import launch as launch_experiment

    launch_experiment(experiment, overrides or [], _console(), dry_run=dry_run)


@app.command()
def status(experiment: ExperimentFile, overrides: Overrides = None) -> None:
    """Show the state of every stage of a launched plan.

    Shows the last lines of the log of stages that failed, too.
    """
    from framework.slurm.status import print_status

    print_status(experiment, overrides or [], _console())


@app.command()
def cancel(experiment: ExperimentFile, overrides: Overrides = None) -> None:
    """Cancel the SLURM jobs of this experiment's launches."""
    from framework.slurm.cancel import cancel as cancel_jobs

    cancel_jobs(experiment, overrides or [], _console())


@app.command()
def prefetch(experiment: ExperimentFile, overrides: Overrides = None) -> None:
    """Download all that the plan reads, to run it offline.

    It then runs with HF_HUB_OFFLINE=1.
    """
    from framework.execution.prefetch import prefetch_experiment

    prefetch_experiment(experiment, overrides or [], _console())


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUNS…", help="Run folders, or folders above them.")],
    metric: Annotated[
        str | None, typer.Option(help="The task's, such as macro_f1, or your own; without it the task's main one.")
    ] = None,
    baseline: Annotated[str | None, typer.Option(help="The combination that the others are compared with.")] = None,
    group: Annotated[
        list[str] | None, typer.Option(help="Average over script, family, resource or seen languages; may be repeated.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="A key of the experiments whose values are columns, such as seed or k_shot.")
    ] = None,
    rows: Annotated[str | None, typer.Option(help="With --by: the key of the rows; default: combination.")] = None,
    pretrained_on: Annotated[
        str | None, typer.Option(help="Pretraining corpus of an unknown backbone, such as cc100; for --group seen.")
    ] = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(help="Folder, or file ending with .md, .tex or .csv; may be repeated; default: the first RUNS."),
    ] = None,
    figures: Annotated[bool, typer.Option("--figures", help="Draw figures too, as PDF and PNG.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Write report.html too: all of it on one page.")] = False,
) -> None:
    """Compare runs by combination and language, with intervals.

    Writes the tables as Markdown, LaTeX and CSV.
    """
    from framework.reports.compare import check_places
    from framework.reports.compare import compare as compare_runs

    places = check_places(out or runs[:1])
    comparison = compare_runs(runs, metric, baseline, group or [], by, rows, pretrained_on)
    console = _console()
    comparison.print(console)
    files = [file for place in places for file in comparison.write(place)]
    if figures or report:  # not always: they take several seconds, and matplotlib takes some to come
        from framework.reports.compare.figures import draw_figures, write_figures
        from framework.reports.compare.report import write_report

        folder = next((place for place in places if place.is_dir()), runs[0])
        drawings = draw_figures(comparison)
        files += write_figures(comparison, drawings, folder) if figures else []
        files += [write_report(comparison, drawings, folder)] if report else []
    for file in files:
        console.print(f"written: {file}", highlight=False, soft_wrap=True)


@app.command()
def analyze(
    runs: Annotated[
        list[Path] | None, typer.Argument(metavar="[RUNS]…", help="Run folders, or folders above them.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="The task's or your own; default: the main one.")] = None,
    target: Annotated[str | None, typer.Option(help="Rank source languages for this language (FLORES code).")] = None,
    sources: Annotated[
        str | None, typer.Option(help="The candidates, separated by commas; default: the runs' or all.")
    ] = None,
    pretraining: Annotated[
        str | None, typer.Option(help="Pretraining text by language: xlm-r, or a CSV file with language and gib.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for what is written; default: the first RUNS.")] = None,
) -> None:
    """Relate scores to features of the languages.

    Computes correlations and a regression; with --target, ranks source languages.
    """
    from framework.reports.analyze import analyze as analyze_runs

    candidates = sources.split(",") if sources else []
    analysis = analyze_runs(
        runs or [], metric=metric, target=target, sources=candidates, pretraining=pretraining
    )
    console = _console()
    analysis.print(console)
    folder = out or (runs[0] if runs else None)
    for file in analysis.write(folder) if folder else []:
        console.print(f"written: {file}", highlight=False, soft_wrap=True)


@app.command()
def dashboard(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the JSON; save nothing.")] = False,
) -> None:
    """Make or update the experiment's views and report in W&B.

    They can be made before its runs.
    """
    from framework.planning.plan import plan_experiment
    from framework.tracking.dashboard.publish import publish

    publish(plan_experiment(experiment, overrides or [], here=False), _console(), dry_run=dry_run)


@app.command()
def sync(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="EXPERIMENT-or-RUNS… [KEY=VALUE]…",
            help="Experiments, and settings that override them; run folders, or folders above.",
        ),
    ],
    again: Annotated[bool, typer.Option("--again", help="Also send again what was sent already.")] = False,
) -> None:
    """Send to W&B what it lacks.

    Sends training curves, results, components and their lineage.
    """
    from framework.tracking.sync import sync as tell

    tell(words, _console(), again=again)


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    language: Annotated[str, typer.Option(help="The texts' language as a FLORES code, such as swh_Latn.")],
) -> None:
    """Label new texts, one per line of standard input.

    A tab separates the texts of a pair, or question and context. Prints one line per input: label, tab, confidence; a
    blank line for an input that is blank or cannot be read.
    """
    from framework.execution.predict import input_lines, predict_lines

    for answer in predict_lines(run, language, input_lines()):
        typer.echo(f"{answer[0]}\t{answer[1]:.3f}" if answer else "")


@app.command()
def tokenization(experiment: ExperimentFile, overrides: Overrides = None) -> None:
    """Report how the tokenizer handles each language.

    Prints tokens per word, the share of truncated texts and the share of unknown tokens.
    """
    from framework.planning.plan import plan_experiment
    from framework.reports.plan_table import print_tokenization

    print_tokenization(plan_experiment(experiment, overrides or []), _console())


def main() -> None:
    """Runs the command line; a mistake of the user's is one message and exit code 2."""
    forget_ranks()
    with exit_on_user_error(), flushed_output():
        app()


if __name__ == "__main__":
    main()
