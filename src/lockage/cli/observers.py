"""Those who hear of a command because the process environment says so."""

from __future__ import annotations

import click

from lockage.cli.progress import observe, observers
from lockage.wiring.observed import observed_of

__all__ = ["attend_settings"]


def attend_settings() -> None:
    """Let whoever the settings name hear of this command, once. An ``--events`` of the command stands for LOCKAGE_EVENTS."""
    asked = observed_of()
    context = click.get_current_context(silent=True)
    command = "lockage" if context is None else context.command_path
    kinds = {type(observer).__name__ for observer in observers()}
    if asked.events is not None and "EventStream" not in kinds:
        from lockage.cli.event_stream import begin_stream

        begin_stream(asked.events, command)
    if asked.collector is not None and "SpanSender" not in kinds:
        from lockage.cli.span_sender import SpanSender

        observe(SpanSender(asked.collector, command))
