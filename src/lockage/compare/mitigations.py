"""What mends causes from within a recipe, as data: tried in this order, the least intrusive first, those made for the cause before all.

A mitigation pins a value inside the step, so that the step no longer depends on what its sandbox says; or it is a mode or a pass. What a
step is told about its user, host and kernel cannot be pinned from within: for that there is only the advice beside the cause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lockage.plan.contract import FIXED
from lockage.recipe.change import OWN_FOLDER, Change
from lockage.recipe.model import Stamp
from lockage.recipe.modes import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockage.compare.blame import Blame

__all__ = ["ITSELF", "MITIGATIONS", "Mitigation", "candidates"]

#: In place of an axis: what differs in every rebuild.
ITSELF = "-"
#: Variables that no cleaning takes away: the shell's own, and those by which a verification reaches the step.
_KEPT = ("PWD", "OLDPWD", "SHLVL", "_", "LD_PRELOAD", "FAKE.*", "NO_FAKE_STAT", "LOCPATH")


class Mitigation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to try. ``does`` says what it does, for the comment; ``causes`` are those that it is made for.

    ``delivering``: it is for the step that delivers the artifact, not for the one in which the difference began. ``declared_only``: the
    step gets no variables but those that it is given by recipe and contract.
    """

    name: str
    does: str
    axes: tuple[str, ...]
    change: Change
    causes: tuple[str, ...] = ()
    delivering: bool = False
    declared_only: bool = False

    def change_of(self, variables: Iterable[tuple[str, str]]) -> Change:
        """The change to a step that is given these ``variables``."""
        if not self.declared_only:
            return self.change
        # In some languages the letter I does not lie between A and Z.
        names = "|".join((*(name for name, _ in variables), *_KEPT))
        line = f"unset $(env | LC_ALL=C sed -n 's/^\\([A-Za-z_][A-Za-z0-9_]*\\)=.*/\\1/p' | LC_ALL=C grep -vxE '{names}')"
        return Change(before=(line,))


def _mitigation(
    name: str, axes: str, does: str, *, causes: str = "", delivering: bool = False, declared_only: bool = False, **change: object
) -> Mitigation:
    made = Change(**change)  # type: ignore[arg-type]  # the keys of a change, as the entries below have them
    return Mitigation(
        name=name,
        does=does,
        axes=tuple(axes.split()),
        change=made,
        causes=tuple(causes.split()),
        delivering=delivering,
        declared_only=declared_only,
    )


_ONE_JOB = ("CARGO_BUILD_JOBS", "CMAKE_BUILD_PARALLEL_LEVEL", "MAX_JOBS", "NPY_NUM_BUILD_JOBS", "OMP_NUM_THREADS")
_CI = "CI CONTINUOUS_INTEGRATION GITHUB_ACTIONS GITLAB_CI BUILD_NUMBER"

MITIGATIONS: tuple[Mitigation, ...] = (
    _mitigation(
        "passes",
        "clock timezone user umask build-path file-order root-order source-times source-modes group -",
        "artifacts go through the stabilizers",
        causes="packed-at compressed-at archive-member-time pyc-source-time image-time owner-of-members mode-from-umask folder-order",
        delivering=True,
        stabilize=True,
    ),
    _mitigation("time-zone", "timezone", "the time zone is UTC", before=("export TZ=UTC",)),
    _mitigation("locale", "locale", "the locale is C.UTF-8", before=("unset LOCPATH LANGUAGE", "export LC_ALL=C.UTF-8 LANG=C.UTF-8")),
    _mitigation("umask", "umask", "files are made for all to read", before=("umask 022",)),
    _mitigation("hash-seed", "hash-seed", "Python hashes by one seed", before=("export PYTHONHASHSEED=0",)),
    _mitigation("perl-hash-seed", "perl-hash-seed", "Perl hashes by one seed", before=("export PERL_HASH_SEED=0",)),
    _mitigation(
        "home",
        "home settings",
        "the home directory is an empty one at a fixed place",
        before=("export HOME=/tmp/home", 'mkdir -p "$HOME"'),
    ),
    _mitigation(
        "temporary-folder",
        "temporary-path temporary-files",
        "the folder for temporary files is an empty one at a fixed place",
        before=("export TMPDIR=/tmp/temporary", 'mkdir -p "$TMPDIR"'),
    ),
    _mitigation("user-name", "user account", "variables name the contract's user", before=("export USER=builder LOGNAME=builder",)),
    _mitigation("search-path", "search-path", "programs are looked for where the contract says", before=(f"export PATH={FIXED['PATH']}",)),
    _mitigation("standard-input", "input terminal", "there is nothing to read", before=("exec < /dev/null",)),
    _mitigation(
        "limits", "limits", "open files and stack are limited as the contract says", before=("ulimit -S -n 1024", "ulimit -S -s 8192")
    ),
    _mitigation("no-ci", "ci environment", "nothing says that it runs in CI", causes="ci-decides", before=(f"unset {_CI}",)),
    _mitigation(
        "no-screen",
        "screen environment",
        "nothing says that there is a screen",
        before=("unset TERM COLORTERM LINES COLUMNS",),
    ),
    _mitigation("no-build-number", "environment", "nothing says which build it is", before=("unset BUILD_ID",)),
    _mitigation(
        "no-desktop",
        "desktop environment",
        "nothing says that there is a desktop",
        before=("unset DISPLAY XDG_SESSION_TYPE WAYLAND_DISPLAY EDITOR PAGER BROWSER",),
    ),
    _mitigation("no-proxy", "proxy environment", "nothing names a proxy", before=("unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY",)),
    _mitigation(
        "plain-cpu",
        "cpu-features",
        "nothing tells libraries which instructions to use",
        before=("unset GLIBC_TUNABLES NPY_DISABLE_CPU_FEATURES OPENBLAS_CORETYPE MKL_CBWR",),
    ),
    _mitigation(
        "declared-variables",
        "environment ci desktop proxy screen parallelism cpu-features variable-order",
        "no variables but those that the step is given",
        causes="environment-written",
        declared_only=True,
    ),
    _mitigation(
        "source-times",
        "source-times",
        "all files have the step's date",
        before=('find . -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +',),
    ),
    # `=` alone leaves a folder its setgid bit, which those of a shared checkout have.
    _mitigation("source-modes", "source-modes", "all may read the files", before=("chmod -R u=rwX,go=rX,g-s .",)),
    _mitigation(
        "one-job",
        "cpu-count cpu-affinity priority parallelism load -",
        "tools run one job at a time",
        causes="parallel-order race random-order cpu-count-written jobs-decide member-now-and-then fails-now-and-then",
        variables=(*((name, "1") for name in _ONE_JOB), ("MAKEFLAGS", "-j1")),
    ),
    _mitigation(
        "own-folder",
        "build-path file-order temporary-path",
        f"the step works in {OWN_FOLDER}, which lists files in one order",
        own_folder=True,
    ),
    _mitigation(
        "frozen-clock",
        "clock uptime -",
        "the clock stands at the source's date",
        causes="current-time compiled-date compressed-at packed-at image-time archive-member-time depends-on-clock pyc-source-time",
        modes=(Mode.FROZEN_CLOCK,),
        stamp=(Stamp.DATE,),
    ),
    _mitigation(
        "single-cpu",
        "cpu-count priority load -",
        "the step sees one CPU",
        causes="cpu-count-written parallel-order race random-order member-now-and-then fails-now-and-then",
        modes=(Mode.SINGLE_CPU,),
    ),
    _mitigation(
        "fixed-addresses",
        "address-layout -",
        "programs lie at the same addresses",
        causes="memory-address random-order",
        modes=(Mode.FIXED_ADDRESSES,),
    ),
    _mitigation("fixed-pids", "process-ids -", "every process calls itself 1000", causes="process-number", modes=(Mode.FIXED_PIDS,)),
    _mitigation(
        "fixed-random",
        "-",
        "random numbers are the same each time: never where keys are made",
        causes="random-value random-order differs-by-itself member-now-and-then",
        modes=(Mode.FIXED_RANDOM,),
    ),
)


def candidates(blame: Blame) -> tuple[Mitigation, ...]:
    """What may mend it, the most promising first. An axis at one of several levels counts as the axis."""
    axes = {axis.partition("=")[0] for axis in blame.axes} or {ITSELF}
    fitting = [each for each in MITIGATIONS if axes & set(each.axes)]
    return tuple(sorted(fitting, key=lambda each: blame.cause not in each.causes))
