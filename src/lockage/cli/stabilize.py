"""``lockage stabilize``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockage.base.errors import Usage
from lockage.cli.archives import NoDate, date_option, files_argument
from lockage.cli.options import json_option

if TYPE_CHECKING:
    from lockage.base.errors import LockageError
    from lockage.base.instant import Instant
    from lockage.stabilize import Choice, Stabilized

__all__ = ["SharedFile", "command"]


class SharedFile(Usage):
    """A file to be rewritten in place has several names, or is a symbolic link."""

    code = "shared-file"
    hint = "Write the result elsewhere with --out, or copy the file first: a cache may own its other name."


@click.command("stabilize")
@files_argument
@click.option("--in-place", is_flag=True, help="Replace each file by its stable form; so it is without --out.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write the results into this folder; the files stay.")
@date_option
@click.option(
    "--only",
    multiple=True,
    metavar="PASS",
    help="Run only this pass; may be given several times. What is in an archive needs that of the archive too.",
)
@click.option("--with", "on", multiple=True, metavar="PASS", help="Run a pass that is off by itself (elf); may be given several times.")
@click.option("--without", "off", multiple=True, metavar="PASS", help="Do not run this pass; may be given several times.")
@click.option("--check", is_flag=True, help="Write nothing; exit 4 if anything would change.")
@json_option
def command(
    files: tuple[Path, ...],
    in_place: bool,
    out: Path | None,
    date: Instant | None,
    only: tuple[str, ...],
    on: tuple[str, ...],
    off: tuple[str, ...],
    check: bool,
    as_json: bool,
) -> int:
    """Make files the same whoever packed them, when and where: wheels, zips, tars, and what is in them.

    Times become the date; order, modes, owners and packing become one; stamps of compilers and generators become the date as well. What
    was changed is listed. A file is replaced whole or not at all, and keeps its mode. A file with several names (hard links) and
    a symbolic link are refused unless --out is given. Needs no store, keys or network.

    \b
    Examples:
      lockage stabilize --date 2026-11-27 dist/shop-1.2.0-py3-none-any.whl
      lockage stabilize --out stable --with elf dist/shop-1.2.0-cp311-cp311-linux_x86_64.whl
      lockage stabilize --check --without png dist/shop-1.2.0.tar.gz
    """
    from lockage.base.errors import ExitCode, LockageError
    from lockage.cli.archives import given_date
    from lockage.cli.screen import print_json, say, show_error
    from lockage.stabilize.render import report_lines

    if in_place and (out is not None or check):
        raise click.UsageError("--in-place with --out or --check: one of them")
    choice = _choice(only, on, off)
    date = given_date(date)
    if date is None:
        raise NoDate("no date is given, and SOURCE_DATE_EPOCH is not set")
    documents: list[dict[str, object]] = []
    failed: LockageError | None = None
    changed = False
    for file in files:
        try:
            done = _stabilized(file, date, choice, None if check else out or file.parent, in_place=out is None)
        except LockageError as error:
            failed = failed or error
            documents.append({"file": str(file), "error": {"code": error.code, "message": str(error), "hint": error.hint}})
            if not as_json:
                say(f"{file}: left as it is")
                show_error(error, as_json=False)
            continue
        changed |= done.changed
        documents.append({"file": str(file), "changed": done.changed, "report": done.report})
        if not as_json:
            say(f"{file}: {('would change' if check else 'changed') if done.changed else 'nothing to change'}")
            for line in report_lines(done.report):
                say(f"  {line}")
    if as_json:
        print_json({"files": documents})
    if failed is not None:
        return int(failed.exit_code)
    return int(ExitCode.NOT_REPRODUCED if check and changed else ExitCode.DONE)


def _choice(only: tuple[str, ...], on: tuple[str, ...], off: tuple[str, ...]) -> Choice:
    from lockage.stabilize import PASSES, Choice

    known = [each.name for each in PASSES]
    for name in (*only, *on, *off):
        if name not in known:
            from difflib import get_close_matches  # only on the way to an error

            near = get_close_matches(name, known, 1)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"no pass {name!r}{guess} There are: {', '.join(known)}.")
    return Choice(only=only, on=on, off=off)


def _stabilized(file: Path, date: Instant, choice: Choice, folder: Path | None, *, in_place: bool) -> Stabilized:
    """The file's stable form, written into ``folder`` unless that is None."""
    from lockage.stabilize import stabilize

    state = file.lstat()
    if in_place and folder is not None:
        if file.is_symlink():
            raise SharedFile(f"{file} is a symbolic link", file=str(file))
        if state.st_nlink > 1:
            raise SharedFile(f"{file} has {state.st_nlink} names (hard links), of which one would change", file=str(file))
    done = stabilize(file.name, file.read_bytes(), date, choice=choice)
    if folder is None or (in_place and not done.changed):
        return done
    _write(file if in_place else folder / file.name, done.data, like=file)
    return done


def _write(target: Path, data: bytes, *, like: Path) -> None:
    """The atomic write, with the mode of the file ``like``, and with its owner where that is its place."""
    from lockage.durable import write_file  # not needed to look only
    from lockage.ports import FolderUnwritable, StoreUnwritable

    state = like.stat()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, data, mode=state.st_mode & 0o777, owner=(state.st_uid, state.st_gid) if target == like else None)
    except StoreUnwritable as error:
        raise FolderUnwritable(f"cannot write {target}: {error.details['cause']}", folder=str(target.parent)) from error
    except OSError as error:
        raise FolderUnwritable(f"cannot write {target}: {error.strerror}", folder=str(target.parent)) from error
