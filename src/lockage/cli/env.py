"""``lockage env``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockage.cli.completion import environments
from lockage.cli.env_image import bill, export, image
from lockage.cli.options import json_option, lock_option, platform_option, source_option

if TYPE_CHECKING:
    from lockage.environment.declaration import Architecture
    from lockage.wiring import Wiring

__all__ = ["command"]


@click.group("env")
def command() -> None:
    """The environments that steps run in, as lockage.lock pins them.

    \b
    Examples:
      lockage env show
      lockage env fetch
      lockage env verify
      lockage env diff .@v1.0 .
      lockage env export build --oci image
    """


@command.command("fetch")
@click.argument("names", nargs=-1, metavar="[ENV]...", shell_complete=environments)
@platform_option
@source_option
@lock_option
@json_option
def fetch(names: tuple[str, ...], platform: Architecture | None, source: str, lock_file: Path | None, as_json: bool) -> None:
    """Fetch everything that the lock and the fetch inputs of the recipe name, so that a build needs no network any more.

    That is of all platforms that an environment is locked for. What is kept already is not fetched again. For a project without
    lockage.toml its backend is asked what else the build needs, as a build would.

    \b
    Examples:
      lockage env fetch
      lockage env fetch build --source shop-1.2.0.tar.gz --lock lockage.lock
    """
    from lockage.cli.project import open_project
    from lockage.cli.screen import human_size, print_json, say, table
    from lockage.work.environments import lay_in

    beside = None if lock_file is not None else Path("dist")
    wiring, project = open_project(source, lock_file=lock_file, out=beside, quiet=as_json)
    laid_in = lay_in(wiring, project, names, platform)
    pinned = not project.recipe.inferred or lock_file is not None or _is_pinned(wiring, source, beside)
    if as_json:
        print_json({"lock": project.lock.digest, "pinned": pinned, "fetched": laid_in})
        return
    rows = [
        (
            item.name,
            f"{item.count:,} files, {human_size(item.size)}",
            f"fetched {item.fetched:,}, {human_size(item.fetched_size)}" if item.fetched else "all of it was there",
        )
        for item in laid_in
    ]
    for line in table(rows):
        say(line)
    if not pinned:
        say("nothing pins these packages: write lockage.lock with `lockage lock`, and build with it, or an unplugged build cannot resolve")


def _is_pinned(wiring: Wiring, source: str, beside: Path | None) -> bool:
    """Whether the next build of a project without a recipe finds a lock."""
    if beside is not None and wiring.folders.read(beside, "lockage.lock") is not None:
        return True
    return wiring.sources.read(source).lock is not None


@command.command("show")
@click.argument("names", nargs=-1, metavar="[ENV]...", shell_complete=environments)
@platform_option
@source_option
@lock_option
@json_option
def show(names: tuple[str, ...], platform: Architecture | None, source: str, lock_file: Path | None, as_json: bool) -> None:
    """Print what the lock says that environments are made of: packages, versions, sizes, and whether the store has them.

    One that is locked for several platforms is there once for each, as build@arm64.

    \b
    Examples:
      lockage env show
      lockage env show build --platform arm64
      lockage env show build --json
    """
    from lockage.cli.host_text import host_lines
    from lockage.cli.screen import human_size, print_json, say, short, table
    from lockage.environment.lock import UNPINNED
    from lockage.wiring import Wiring
    from lockage.work.environments import environments_of, items_of, read_lock
    from lockage.work.on_host import fingerprint_of, on_this_host

    wiring = Wiring.from_process()
    lock = on_this_host(wiring, read_lock(wiring, source, lock_file.read_bytes() if lock_file is not None else None))
    environments = environments_of(lock, names, platform)
    hosts = {
        name: fingerprint_of(wiring, environment.root)
        for name, environment in environments.items()
        if environment.root.is_host and environment.root != UNPINNED
    }
    everything = {name: items_of(wiring, environment) for name, environment in environments.items()}
    if as_json:
        documents = {
            name: {
                "os": str(environment.base),
                "architecture": environment.architecture,
                "release_date": environment.release_date if isinstance(environment.release_date, str) else None,
                "root": environment.root,
                "size": sum(item.ref.size for item in everything[name]),
                "items": everything[name],
                **({"host": hosts[name]} if name in hosts else {}),
            }
            for name, environment in environments.items()
        }
        print_json({"lock": lock.digest, "environments": documents})
        return
    for number, (name, environment) in enumerate(environments.items()):
        items = everything[name]
        if number:
            say()
        if environment.root == UNPINNED:
            say(f"{name}: {environment.base} of {environment.architecture}, which this machine is not")
            continue
        if name in hosts:
            for line in host_lines(name, environment.root.tree.digest, hosts[name]):
                say(line)
            continue
        size, kept = sum(item.ref.size for item in items), sum(item.kept for item in items)
        say(f"{name}: {environment.base} {environment.architecture}, root {short(environment.root.tree.digest)}")
        say(f"  {len(items):,} files, {human_size(size)}; {'all' if kept == len(items) else f'{kept:,}'} of them in the store")
        rows = [(item.kind, item.name, item.version, human_size(item.ref.size), "" if item.kept else "not kept") for item in items]
        for line in table(rows, header=("kind", "name", "version", "size", "")):
            say(f"  {line}")


@command.command("verify")
@click.argument("names", nargs=-1, metavar="[ENV]...", shell_complete=environments)
@platform_option
@source_option
@lock_option
@json_option
def verify(names: tuple[str, ...], platform: Architecture | None, source: str, lock_file: Path | None, as_json: bool) -> int:
    """Check that the store holds everything the lock names, whole, and that it makes the root that the lock pins.

    Every package, wheel and file of a kept root is hashed again, and nothing is fetched. What is damaged is set aside and named
    with what brings it back. Exit 6 if something is damaged, else 3 if something is missing or makes another root.

    \b
    Examples:
      lockage env verify
      lockage env verify build --lock lockage.lock --json
    """
    from lockage.base.errors import ExitCode
    from lockage.cli.screen import Progress, human_size, print_json, say, table
    from lockage.wiring import Wiring
    from lockage.work.environments import environments_of, read_lock
    from lockage.work.verify_environments import RootState, verify_environments

    wiring = Wiring.from_process(tell=Progress(quiet=as_json))
    lock = read_lock(wiring, source, lock_file.read_bytes() if lock_file is not None else None)
    found = verify_environments(wiring, environments_of(lock, names, platform))
    code = max((check.exit_code for check in found), default=ExitCode.DONE)
    if as_json:
        print_json({"lock": lock.digest, "whole": code is ExitCode.DONE, "environments": found})
        return int(code)
    roots = {
        RootState.WHOLE: "the root is the lock's",
        RootState.OTHER: "they make another root than the lock pins",
        RootState.UNKNOWN: "the root was not put together",
        RootState.HOST: "the host as it is, nothing of which is pinned",
    }
    rows = [(check.name, f"{check.count:,} files", human_size(check.size), roots[check.root]) for check in found]
    for line in table(rows):
        say(line)
    for check in found:
        for item in check.unsound:
            say()
            say(f"{check.name}: {item.kind} {item.name} {item.what}")
            if item.aside:
                say(f"  set aside: {item.aside}")
            say(f"  to mend it: {item.remedy}")
    return int(code)


@command.command("diff")
@click.argument("a", shell_complete=environments)
@click.argument("b", shell_complete=environments)
@click.option("--environment", "name", metavar="ENV", shell_complete=environments, help="Compare only the environments of this name.")
@click.option("--files", is_flag=True, help="Put both roots together and list the files that differ.")
@platform_option
@source_option
@json_option
def diff(a: str, b: str, name: str | None, files: bool, platform: Architecture | None, source: str, as_json: bool) -> int:
    """Compare the environments A and B: packages added, removed and changed, and with --files every file of their roots.

    A and B are each an environment of SOURCE's lock, or something that has a lock: a lockage.lock, a source (a commit is .@REVISION),
    or a release. Of two locks each platform that both have is compared. Exit 0 if steps see the same in both, 3 if not.

    \b
    Examples:
      lockage env diff build test
      lockage env diff build@amd64 build@arm64
      lockage env diff .@v1.0 . --files
      lockage env diff shop@1.2.0 lockage.lock --environment build
    """
    from lockage.base.errors import ExitCode
    from lockage.cli.env_difference import difference_lines
    from lockage.cli.screen import Progress, print_json, say
    from lockage.wiring import Wiring
    from lockage.work.diff_environments import compare_environments

    def read_file(text: str) -> bytes | None:
        path = Path(text)
        return path.read_bytes() if path.is_file() and path.suffix == ".lock" else None

    wiring = Wiring.from_process(tell=Progress(quiet=as_json))
    found = compare_environments(wiring, a, b, source=source, name=name, files=files, read_file=read_file, platform=platform)
    same = all(one.difference.same_root for one in found)
    if as_json:
        print_json({"same": same, "compared": found})
    else:
        for one in found:
            for line in difference_lines(one):
                say(line)
    return int(ExitCode.DONE if same else ExitCode.DRIFT)


command.add_command(export)
command.add_command(bill)
command.add_command(image)
