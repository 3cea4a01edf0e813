"""Write the parts of the documentation that are made from the code: errors, commands, settings, axes, causes, mitigations, modes, passes,
the schema of events.

Run ``.venv/bin/python docs/regenerate.py``; with ``--check`` it only says whether they are true (exit 1 if not).
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from pathlib import Path

import click
import msgspec

import lockage
from lockage.base.errors import ExitCode, LockageError
from lockage.cli.app import COMMANDS, program
from lockage.compare.causes import CAUSES
from lockage.compare.mitigations import ITSELF, MITIGATIONS
from lockage.plan.contract import JOBS, PLATFORM, PREVENTION
from lockage.recipe.modes import MODES
from lockage.record.event_line import schema
from lockage.stabilize import PASSES
from lockage.stabilize.finding import CODES
from lockage.stabilize.stamp_pass import HTML, JAVASCRIPT
from lockage.variation import AXES
from lockage.wiring import SETTINGS

HERE = Path(__file__).parent
MADE = "Made from the code by `docs/regenerate.py`."
_EXITS = {
    ExitCode.DONE: "done",
    ExitCode.FAULT: "a fault in lockage itself",
    ExitCode.USAGE: "usage, recipe or configuration error",
    ExitCode.DRIFT: "drift: an input is not what the lock says",
    ExitCode.NOT_REPRODUCED: "not reproduced",
    ExitCode.REFUSED: "refused by policy",
    ExitCode.INTEGRITY: "integrity: a digest, signature or proof does not hold",
    ExitCode.CONFLICT: "conflict: somebody else was first, or bytes would change under a name",
    ExitCode.NOT_PERMITTED: "not permitted",
    ExitCode.STEP_FAILED: "a step failed",
    ExitCode.UNREACHABLE: "an outside service (index, mirror, executor, database) did not answer",
}


def every_error() -> list[type[LockageError]]:
    """Every error class of lockage, by code."""
    for module in pkgutil.walk_packages(lockage.__path__, "lockage."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: set[type[LockageError]] = set()
    waiting: list[type[LockageError]] = [LockageError]
    while waiting:
        subclasses = [c for c in waiting.pop().__subclasses__() if c.__module__.startswith("lockage.")]
        waiting.extend(subclasses)
        found.update(subclasses)
    return sorted(found, key=lambda kind: kind.code)


def errors_page() -> str:
    lines = ["# Exit codes and errors", "", MADE, "", "## Exit codes", "", "| exit | means |", "|---|---|"]
    lines += [f"| {int(code)} | {meaning} |" for code, meaning in _EXITS.items()]
    lines += ["| 130, 143, 129, 141 | interrupted by Ctrl-C, by SIGTERM, by SIGHUP, or nobody reads the output any more |"]
    lines += ["", "## Errors", "", "Every error prints its code, what was wrong, where, and what to do.", ""]
    lines += ["| code | exit | means | what to do |", "|---|---|---|---|"]
    for kind in every_error():
        meaning = " ".join(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].split())
        lines.append(f"| `{kind.code}` | {int(kind.exit_code)} | {meaning} | {kind.hint} |".replace("``", "`"))
    return "\n".join(lines) + "\n"


def _help(command: click.Command, path: str) -> list[str]:
    # The names of the help option as the program has them: click keeps the first that it is asked with.
    names = program.context_settings["help_option_names"]
    context = click.Context(command, info_name=path, max_content_width=100, terminal_width=100, help_option_names=names)
    lines = [f"## {path}", "", "```text", command.get_help(context), "```", ""]
    if isinstance(command, click.Group) and command is not program:
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            lines += _help(inner, f"{path} {name}")
    return lines


def commands_page() -> str:
    lines = ["# Commands", "", MADE, ""]
    lines += _help(program, "lockage")
    for name in COMMANDS:
        command = program.get_command(click.Context(program), name)
        assert command is not None
        lines += _help(command, f"lockage {name}")
    return "\n".join(lines).rstrip() + "\n"


def settings_page() -> str:
    lines = ["# Settings", "", f"{MADE} All are environment variables; none is needed.", ""]
    lines += ["| setting | meaning | default |", "|---|---|---|"]
    lines += [f"| `{setting.name}` | {setting.meaning} | {setting.default} |" for setting in SETTINGS]
    return "\n".join(lines) + "\n"


_VALUES = {
    "root_order": "the other way round",
    "old_kernel": "2.6",
    "fixed_addresses": "no randomisation",
    "uptime": "92 days more",
    "room": "twice as large",
    "on_disk": "a folder of the store's disk, not in memory",
    "repository": "an empty one",
    "settings": "`.gitconfig`, `.bashrc` and others",
    "leftovers": "a few files",
    "terminal": "one of 132 columns",
    "piped_input": "a pipe that is at its end",
    "ignored_signals": "SIGHUP and SIGPIPE",
    "other_shell": "bash, or dash where it is bash",
    "loopback": "down",
    "narrow": "a 32-bit one",
    "twice": "the command run twice",
    "load": "3 busy processes on its CPUs",
    "variable_order": "the other way round",
}


def _value(name: str, value: object) -> str:
    """What an axis sets, for people."""
    if name in _VALUES:
        return _VALUES[name]
    if isinstance(value, tuple) and isinstance(value[0], tuple):
        return f"{len(value)} variables, `{value[-1][0]}`" if len(value) > 9 else ", ".join(f"`{each}`" for each, _ in value)
    if isinstance(value, tuple):
        return f"{len(value)} folders more"
    match name:
        case "umask":
            return f"{value:04o}"
        case "clock_offset":
            assert isinstance(value, int)
            return f"{value // 86400} days and some hours later"
        case "stack":
            assert isinstance(value, int)
            return f"stack {value >> 20} MiB"
        case "memory":
            return f"{value} MiB"
    return f"{name.replace('_', ' ')} `{value}`"


def _asked(severe: bool) -> str:
    return ", `--all`" if severe else ""


def verify_page() -> str:
    lines = ["| axis | side | varies, so that it catches a dependence on | values in rebuilds |", "|---|---|---|---|"]
    for axis in AXES:
        texts = [
            ", ".join(_value(name, value) for name, value in level.fields)
            + (f" (`{axis.name}={level.name}`{_asked(level.severe)})" * (number > 0))
            for number, level in enumerate(axis.levels)
        ]
        lines.append(f"| {axis.name}{_asked(axis.severe)} | {axis.side} | {axis.catches} | {'; '.join(texts)} |")
    head, begin, rest = (HERE / "verify.md").read_text().partition("<!-- axes: made by docs/regenerate.py -->\n")
    _, end, tail = rest.partition("<!-- end -->\n")
    return head + begin + "\n" + "\n".join(lines) + "\n\n" + end + tail


def causes_page() -> str:
    lines = ["| cause | axes | what it is | what mends it |", "|---|---|---|---|"]
    told: dict[str, tuple[dict[str, None], str, str]] = {}
    for cause in CAUSES:
        told.setdefault(cause.name, ({}, cause.says, cause.fix))[0].update(dict.fromkeys(cause.axes))
    for name, (axes, says, fix) in told.items():
        shown = "any" if len(axes) >= len(AXES) else ", ".join("none" if axis == "-" else axis for axis in axes)
        lines.append(f"| `{name}` | {shown} | {says} | {fix.replace('|', '&#124;')} |")
    page = HERE / "why-did-my-build-differ.md"
    head, begin, rest = page.read_text().partition("<!-- causes: made by docs/regenerate.py -->\n")
    _, end, tail = rest.partition("<!-- end -->\n")
    return head + begin + "\n" + "\n".join(lines) + "\n\n" + end + tail


def stabilizers_page() -> str:
    lines = ["| pass, version | files | changes | never touches | packs with |", "|---|---|---|---|---|"]
    for each in PASSES:
        files = " ".join(suffix for suffix in each.suffixes) or "any ELF file"
        packs = f"{each.compressor.package} {each.compressor.version}, level {each.compressor.level}" if each.compressor else ""
        name = f"`{each.name}` {each.version}" + ("" if each.default else ", **off** unless asked for")
        lines.append(f"| {name} | `{files}` | {each.changes} | {each.never} | {packs} |".replace("`any ELF file`", "any ELF file"))
    stamps = ["| stamp of | the time in |", "|---|---|"]
    stamps += [f"| {rule.name} | `{rule.example}` |" for rule in (*HTML, *JAVASCRIPT)]
    codes = ["| finding | level | what to do |", "|---|---|---|"]
    codes += [f"| `{code}` | {level} | {remedy} |" for code, (level, remedy) in CODES.items()]
    page = (HERE / "stabilizers.md").read_text()
    for name, table in (("passes", lines), ("stamps", stamps), ("findings", codes)):
        head, begin, rest = page.partition(f"<!-- {name}: made by docs/regenerate.py -->\n")
        _, end, tail = rest.partition("<!-- end -->\n")
        page = head + begin + "\n" + "\n".join(table) + "\n\n" + end + tail
    return page


def contract_page() -> str:
    told = {name: (f"`{value}`", reason) for name, (value, reason) in PREVENTION.items()}
    told |= {name: ("the CPUs that the step declares", f"jobs beside each other: {reason}") for name, reason in JOBS.items()}
    told |= {name: ("`linux-x86_64` or `linux-aarch64`", reason) for name, reason in PLATFORM.items()}
    preventions = [
        "| variable | value | why |",
        "|---|---|---|",
        *(f"| `{name}` | {value} | {why} |" for name, (value, why) in told.items()),
    ]
    modes = ["| mode | what it holds | who escapes | danger |", "|---|---|---|---|"]
    modes += [f"| `{mode}` | {facts.holds} | {facts.escapes} | {facts.danger} |" for mode, facts in MODES.items()]
    page = (HERE / "what-can-differ.md").read_text()
    for name, lines in (("preventions", preventions), ("modes", modes)):
        head, begin, rest = page.partition(f"<!-- {name}: made by docs/regenerate.py -->\n")
        _, end, tail = rest.partition("<!-- end -->\n")
        page = head + begin + "\n" + "\n".join(lines) + "\n\n" + end + tail
    return page


def fix_page() -> str:
    lines = ["| mitigation | what it does | written | for differences by | made for |", "|---|---|---|---|---|"]
    for each in MITIGATIONS:
        change = each.change_of([("…", "")])
        written = [f"`{line}`" for line in change.before] + (["works in a copy of the workspace"] if change.own_folder else [])
        written += [f"`{name} = {value}`" for name, value in change.variables] + (["`stabilize = true`"] if change.stabilize else [])
        written += [f"mode `{mode}`" for mode in change.modes] + [f"stamp `{stamp}`" for stamp in change.stamp]
        axes = ", ".join("itself" if axis == ITSELF else axis for axis in each.axes)
        said = "<br>".join(written).replace("|", "&#124;")
        lines.append(f"| {each.name} | {each.does} | {said} | {axes} | {', '.join(each.causes)} |")
    head, begin, rest = (HERE / "fix.md").read_text().partition("<!-- mitigations: made by docs/regenerate.py -->\n")
    _, end, tail = rest.partition("<!-- end -->\n")
    return head + begin + "\n" + "\n".join(lines) + "\n\n" + end + tail


def events_schema() -> str:
    return msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode() + "\n"


PAGES = {
    "formats/events.schema.json": events_schema,
    "fix.md": fix_page,
    "errors.md": errors_page,
    "commands.md": commands_page,
    "settings.md": settings_page,
    "verify.md": verify_page,
    "what-can-differ.md": contract_page,
    "why-did-my-build-differ.md": causes_page,
    "stabilizers.md": stabilizers_page,
}


def main() -> int:
    stale = [name for name, page in PAGES.items() if not (HERE / name).exists() or (HERE / name).read_text() != page()]
    if "--check" in sys.argv[1:]:
        for name in stale:
            print(f"docs/{name} is not what the code says; run docs/regenerate.py")
        return bool(stale)
    for name in stale:
        (HERE / name).write_text(PAGES[name]())
        print(f"wrote docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
