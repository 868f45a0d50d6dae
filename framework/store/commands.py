"""The commands `modulingua components …`; as thin as those of `framework.cli`."""

from pathlib import Path
from typing import Annotated

import typer

from framework.system.console import console

components = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

StoreFolder = Annotated[Path, typer.Option("--store", help="The component store's folder.")]
RunsFolder = Annotated[Path, typer.Option("--runs", help="The folder of runs, to list those that used it.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="A component's id; its beginning is enough.")]


def use_hub() -> None:
    """Makes requests to the hub be repeated. Not at every start: the hub's client takes a moment to import."""
    from framework.system.network import retry_requests

    retry_requests()


@components.callback()
def begin(context: typer.Context) -> None:
    """List, check, share and convert trained components."""
    if context.invoked_subcommand not in {"list", "show", "verify", "remove"}:  # these read the store only
        use_hub()


@components.command("list")
def list_components(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[WORD]…", help="Only components whose line has all of these words.")
    ] = None,
    store: StoreFolder = Path("store"),
) -> None:
    """List the trained components."""
    from framework.store.listing import print_components
    from framework.store.store import Store

    print_components(Store(store), words or [], console())


@components.command("show")
def show_component(component: Id, store: StoreFolder = Path("store"), runs: RunsFolder = Path("runs")) -> None:
    """Show what a component is, its origin and the runs that used it."""
    from framework.store.listing import print_passport
    from framework.store.store import Store

    print_passport(Store(store), component, runs, console())


@components.command("verify")
def verify_components(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="Components; default: all of the store.")] = (
        None
    ),
    store: StoreFolder = Path("store"),
) -> None:
    """Check that components are intact.

    Checks hashes, files and shapes; exit code 1 if one is damaged.
    """
    from framework.store.listing import print_findings
    from framework.store.store import Store

    if not print_findings(Store(store), ids or [], console()):
        raise typer.Exit(1)


@components.command("remove")
def remove_component(component: Id, store: StoreFolder = Path("store")) -> None:
    """Remove a component; the next run that needs it trains it again."""
    from framework.store.store import Store

    typer.echo(f"removed {Store(store).remove(component)}")


@components.command("push")
def push_component(
    component: Id,
    place: Annotated[str, typer.Argument(metavar="REPO", help="owner/name on the hub, or a folder such as ./shared.")],
    alone: Annotated[bool, typer.Option("--alone", help="Leave out its dependencies.")] = False,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    store: StoreFolder = Path("store"),
    runs: RunsFolder = Path("runs"),
) -> None:
    """Share a component with its passport and a model card.

    Its dependencies are shared with it.
    """
    from framework.store.sharing import push
    from framework.store.store import Store

    typer.echo(f"shared at {push(Store(store), component, place, runs, alone=alone, private=private)}")


@components.command("pull")
def pull_component(
    place: Annotated[str, typer.Argument(metavar="REPO", help="owner/name on the hub, or a folder.")],
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit on the hub.")] = None,
    store: StoreFolder = Path("store"),
) -> None:
    """Check a shared component and put it into the store.

    Its dependencies come with it.
    """
    from framework.store.sharing import pull
    from framework.store.store import Store

    pulled = pull(Store(store), place, revision)
    typer.echo(f"{pulled.passport.id}  {pulled.passport.stage} · {pulled.passport.title}")
    told = {"put into the store": pulled.brought, "was there already": pulled.there, "MISSING": pulled.missing}
    for what, identities in told.items():
        if identities:
            typer.echo(f"  {what}: {', '.join(identities)}")
    if pulled.brought:
        shapes = f", but no shapes ({pulled.unchecked})" if pulled.unchecked else ", shapes"
        typer.echo(f"  checked: files, hashes{shapes}; how it was trained is what its publisher says")
    if pulled.missing:
        typer.echo("  pull what is missing too, or the experiments that use it train it anew")


@components.command("merge")
def merge_components(
    words: Annotated[
        list[str],
        typer.Argument(metavar="FORMULA | ID…", help='"0.5*A + 0.5*B", "A + B - C"; or ids and runs, for their mean.'),
    ],
    language: Annotated[str | None, typer.Option(help="The language of the sum, such as lug_Latn.")] = None,
    store: StoreFolder = Path("store"),
) -> None:
    """Write the weighted sum of components as a new one."""
    from framework.store.merging import merge
    from framework.store.store import Store

    passport = merge(Store(store), words, language)
    typer.echo(f"{passport.id}  {passport.stage} · {passport.title}")


@components.command("export")
def export_component(
    component: Id,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder.")],
    format_name: Annotated[str, typer.Option("--format", help="adapters, or peft.")],
    backbone: Annotated[str | None, typer.Option(help="Where the backbone is now, if it has moved.")] = None,
    store: StoreFolder = Path("store"),
) -> None:
    """Write a component in the format of `adapters` or PEFT."""
    from framework.store.conversion import export
    from framework.store.store import Store

    passport = export(Store(store), component, folder, format_name, backbone)
    typer.echo(f"{passport.stage} · {passport.title}: written to {folder}")


@components.command("import")
def import_component(
    place: Annotated[
        str, typer.Argument(metavar="REPO", help="Saved by `adapters` or PEFT: a folder, or owner/name[@revision].")
    ],
    role: Annotated[str, typer.Option("--as", help="Its role: language or task.")],
    backbone: Annotated[str, typer.Option(help="The backbone that carries it: a folder, or its name on the hub.")],
    language: Annotated[list[str] | None, typer.Option(help="Its language, such as hau_Latn.")] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of the backbone.")] = None,
    store: StoreFolder = Path("store"),
) -> None:
    """Put what `adapters` or PEFT saved into the store.

    An experiment takes it by `reuse`. A repository of AdapterHub or PEFT is downloaded.
    """
    from datamodules import language as known_language
    from framework.store.conversion import import_saved
    from framework.store.store import Store
    from modules import BackboneConfig

    codes = [known_language(code).code for code in language or []]
    config = BackboneConfig(name=backbone, revision=revision)
    passport = import_saved(Store(store), place, role, codes, config)
    typer.echo(f"{passport.id}  {passport.stage} · {passport.title}")
