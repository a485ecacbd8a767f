"""`cattery keys`: who may do what. Like all commands, over the store."""

from typing import Annotated

import typer

from app.cli.console import say, show_json, show_table
from app.cli.store import open_store

key_commands = typer.Typer(help="Add, list and revoke keys of the API.")


@key_commands.command()
def add(
    name: Annotated[str, typer.Argument(help="Who or what will use it.")],
    scope: Annotated[
        list[str],
        typer.Option(
            help="What it allows: vote, train, publish or admin; repeat the option for several."
        ),
    ],
) -> None:
    """Make a key and print it, this once: the store has its hash only.

    A service that was started without any key must be restarted to require one.
    """
    record, token = open_store().keys.add(name, scope)
    say(f"Added {record.name} ({record.id}), which allows {', '.join(record.scopes)}. The key:")
    print(token)


@key_commands.command("list")
def list_(
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """List all keys, revoked ones included, without the keys themselves."""
    keys = open_store().keys.list()
    shown = ("id", "name", "scopes", "created_at", "revoked_at")
    if json:
        show_json([{name: getattr(key, name) for name in shown} for key in keys])
        return
    rows = [(k.id, k.name, ", ".join(k.scopes), k.created_at, k.revoked_at) for k in keys]
    show_table(("id", "name", "scopes", "created", "revoked"), rows)


@key_commands.command()
def revoke(key: Annotated[str, typer.Argument(help="Its id or name.")]) -> None:
    """Make a key invalid from the next request on.

    The service goes on requiring keys, even if none is left.
    """
    record = open_store().keys.revoke(key)
    say(f"Revoked {record.name} ({record.id}).")
