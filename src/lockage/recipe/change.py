"""What can be changed about a step so that it depends on less: modes, stamps, variables, passes, and shell lines before its command."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import msgspec

from lockage.recipe.model import Stamp
from lockage.recipe.modes import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lockage.base.path import RelPath
    from lockage.recipe.model import Step

__all__ = ["OWN_FOLDER", "Change", "changed_run", "together"]

#: Where a step works that makes itself independent of where it was started: in the folder for temporary files that every sandbox has.
OWN_FOLDER = "/tmp/build"  # noqa: S108 (a path in the sandbox, which is private)
_SHELL = ("/bin/sh", "-euc")
_WORKSPACE = 'workspace="$PWD"'


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Additions to one step. ``before`` are lines of shell; with ``own_folder`` its command runs in a copy of the workspace.

    ``variables`` are set, ``stabilize`` switches the passes on.
    """

    modes: tuple[Mode, ...] = ()
    stamp: tuple[Stamp, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    stabilize: bool = False
    before: tuple[str, ...] = ()
    own_folder: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of a step that it touches."""
        touched = {
            "stamp": self.stamp,
            "run": self.before or self.own_folder,
            "variables": self.variables,
            "modes": self.modes,
            "stabilize": self.stabilize,
        }
        return tuple(key for key, value in touched.items() if value)

    def is_made(self, step: Step) -> bool:
        """Whether the step has all of it already."""
        lines = "\n".join(step.run).splitlines()
        return (
            set(self.modes) <= set(step.modes)
            and set(self.stamp) <= set(step.stamp)
            and set(self.variables) <= set(step.variables.items())
            and (step.stabilize is not False or not self.stabilize)
            and set(self.before) <= set(lines)
            and (_WORKSPACE in lines or not self.own_folder)
        )


def together(changes: Iterable[Change]) -> Change:
    """All of them as one."""
    found = Change()
    for one in changes:
        found = Change(
            modes=tuple(sorted({*found.modes, *one.modes})),
            stamp=tuple(sorted({*found.stamp, *one.stamp})),
            variables=tuple(sorted((dict(found.variables) | dict(one.variables)).items())),
            stabilize=found.stabilize or one.stabilize,
            before=tuple(dict.fromkeys((*found.before, *one.before))),
            own_folder=found.own_folder or one.own_folder,
        )
    return found


def changed_run(run: str | Sequence[str], change: Change, outputs: Sequence[RelPath]) -> str | list[str]:
    """What a step runs with the change: a text stays a text, a list of arguments becomes one that hands them to the shell.

    A copy of the workspace is made in sorted order, so that its folders list alike everywhere; the outputs are brought back.
    """
    command = run if isinstance(run, str) else '"$@"'
    lines = [*change.before]
    if change.own_folder and _WORKSPACE not in command:
        named = shlex.join(outputs)
        lines += [_WORKSPACE, f"mkdir {OWN_FOLDER}", f"tar --sort=name -cf - . | tar -xpf - -C {OWN_FOLDER}", f"cd {OWN_FOLDER}"]
        lines += ["(", command.rstrip("\n"), ")", f'(cd "$workspace" && rm -rf -- {named})', f'cp -a --parents -- {named} "$workspace"']
    else:
        lines.append(command.rstrip("\n"))
    text = "\n".join(lines) + "\n"
    return text if isinstance(run, str) else [*_SHELL, text, "sh", *run]
