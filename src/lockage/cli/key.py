"""``lockage key``."""

from __future__ import annotations

from pathlib import Path

import click

from lockage.cli.options import json_option

__all__ = ["command"]


@click.group("key")
def command() -> None:
    """The keys that sign, and what each may sign.

    \b
    Examples:
      lockage key list
      lockage key export verifier --out verifier.pem
    """


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show the keys of the store's trust root and which of them are here.

    \b
    Examples:
      lockage key list
      lockage key list --json
    """
    from lockage.cli.screen import print_json, say, say_prose, short, table
    from lockage.wiring import Wiring
    from lockage.work.book import Book

    wiring = Wiring.from_process()
    book = Book.open(wiring, make=True)
    mine = {wiring.keys.load(name).public for name in wiring.keys.names()}
    keys = [
        {
            "principal": principal.name,
            "roles": key.roles,
            "key": key.id,
            "valid_until": key.not_after,
            "here": key.key.spki in mine,
        }
        for principal, key in book.root.listed()
    ]
    if as_json:
        print_json({"folder": str(wiring.keys_folder), "origin": book.root.ledger.origin, "trust_root": book.root.digest, "keys": keys})
        return
    say_prose(
        f"trust root {short(book.root.digest)}, version {book.root.version}, of {book.root.ledger.origin}; keys in {wiring.keys_folder}"
    )
    for line in table(
        [
            (key.roles[0], principal.name, short(key.id), f"until {key.not_after}", "here" if key.key.spki in mine else "")
            for principal, key in book.root.listed()
        ],
        least=(2, 3),
        indent=2,
    ):
        say(line)


@command.command("export")
@click.argument("role")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead of standard output.")
def export(role: str, out: Path | None) -> None:
    """Print the public key of ROLE as PEM, for verifiers such as cosign.

    \b
    Examples:
      lockage key export verifier
      lockage key export verifier --out verifier.pem
    """
    import base64
    import textwrap

    from lockage.base.errors import Usage
    from lockage.cli.screen import say
    from lockage.wiring import Wiring
    from lockage.work.book import Book

    wiring = Wiring.from_process()
    found = [key for _, key in Book.open(wiring, make=True).root.listed() if role in key.roles]
    if not found:
        raise Usage(f"no key has the role {role!r}", hint="`lockage key list` shows the roles.")
    body = "\n".join(textwrap.wrap(base64.b64encode(found[0].key.spki).decode(), 64))
    text = f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----"
    if out is None:
        say(text)
    else:
        wiring.folders.write(out.parent, out.name, text.encode() + b"\n")
