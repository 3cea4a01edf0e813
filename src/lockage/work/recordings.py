"""Recordings of services, looked at before a step is run that asks them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.record.event import Phase
from lockage.replay import private_headers, read_recording

if TYPE_CHECKING:
    from lockage.plan.action import Action
    from lockage.plan.plan import PlannedStep
    from lockage.work.services import Services

__all__ = ["check_recordings"]


def check_recordings(services: Services, planned: PlannedStep, action: Action) -> None:
    """Raise :class:`lockage.replay.InvalidRecording`, naming the file of the source, if one cannot be read; tell what is private in it."""
    for service, stub in zip(planned.services, action.services, strict=True):
        recording = read_recording(stub.form, stub.content, services.blobs.get, file=service.recording, hosts=stub.hosts)
        private = private_headers(recording)
        if private:
            names = ", ".join(private)
            services.tell(Phase(text=f"{service.recording} holds {names}: take out of recordings what is a secret (docs/services.md)"))
