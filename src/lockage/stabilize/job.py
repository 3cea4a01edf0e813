"""One run of the passes over one file: what they are run with, and how a container hands its members on.

Invariants: a member that is to be kept, or that no pass makes sense of, stays byte for byte as it is, and nothing is noted of it
but why; what is in it is opened to a bounded depth, and all archives within a file share one limit of unpacked bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockage.base.digest import Digest
from lockage.base.errors import StepFailed
from lockage.stabilize.compressor import UNPACKED_LIMIT
from lockage.stabilize.errors import ArchiveTooLarge, EncryptedArchive, Unhandled
from lockage.stabilize.model import Fault
from lockage.stabilize.notes import Notes

if TYPE_CHECKING:
    from collections.abc import Container

    from lockage.base.instant import Instant
    from lockage.stabilize.choice import Choice
    from lockage.stabilize.compressor import Compressor
    from lockage.stabilize.notes import PassNotes
    from lockage.stabilize.passes import Pass

__all__ = ["DEPTH", "Job", "Treatment"]

#: Archives within archives within the file; what lies deeper stays as it is, and the report says so.
DEPTH = 3


class Treatment:
    """What every pass over one file is run with: the date, the passes that may run, and digests of members to leave alone."""

    __slots__ = ("_choice", "_magics", "_passes", "_suffixes", "date", "keep", "left")

    def __init__(self, date: Instant, passes: tuple[Pass, ...], choice: Choice, keep: Container[Digest]) -> None:
        self.date, self._passes, self._choice, self.keep = date, passes, choice, keep
        #: Ends of names, and beginnings of files whatever their name, that any pass is for: most members are none of them.
        self._suffixes = tuple(suffix for each in passes for suffix in each.suffixes)
        self._magics = tuple(magic for each in passes if not each.suffixes for magic in each.magic)
        #: Bytes that archives within the file may still unpack to.
        self.left = UNPACKED_LIMIT

    def passes_for(self, name: str, data: bytes) -> tuple[Pass, ...]:
        """The passes that a file of this name and these bytes goes through: at most one container's, and before it any other."""
        if not name.lower().endswith(self._suffixes) and not data.startswith(self._magics):
            return ()
        found = [each for each in self._passes if each.applies(name, data)]
        container = next((each for each in found if each.container), None)
        taken = [each for each in found if not each.container] + ([container] if container else [])
        return tuple(each for each in taken if self._choice.takes(each.name, by_itself=each.default))


class Job:
    """One pass over one file or member. A pass tells it what it changes and what is wrong."""

    __slots__ = ("_name", "_notes", "_of", "_treatment", "depth")

    def __init__(self, treatment: Treatment, each: Pass, notes: Notes, depth: int, name: str) -> None:
        self._treatment, self._notes, self.depth, self._name = treatment, notes, depth, name
        self._of: PassNotes = notes.of(each.name, each.version)

    @property
    def date(self) -> Instant:
        """What every time in the file becomes."""
        return self._treatment.date

    @property
    def limit(self) -> int:
        """Bytes that this file may unpack to."""
        return self._treatment.left if self.depth else UNPACKED_LIMIT

    def change(self, path: str, field: str, before: object, after: object) -> None:
        """Note a change of the member ``path``, of the file itself if that is empty; nothing if both are equal."""
        self._of.changes.add(path, field, before, after)

    def fault(self, *faults: Fault) -> None:
        """Note what is wrong and was left as it is."""
        self._of.faults.extend(faults)

    def packed_by(self, compressor: Compressor) -> None:
        """Note what packed the bytes."""
        self._of.compressor = compressor

    def member(self, path: str, data: bytes) -> bytes:
        """A member's bytes after its own passes. Raises :class:`ArchiveTooLarge` if archives within archives unpack to too much."""
        treatment = self._treatment
        if self.depth:
            treatment.left -= len(data)
            if treatment.left < 0:
                raise ArchiveTooLarge(f"archives within the file unpack to more than {UNPACKED_LIMIT} bytes", limit=UNPACKED_LIMIT)
        passes = treatment.passes_for(path, data) if data else ()
        if not passes or Digest.of(data) in treatment.keep:
            return data
        for each in passes:
            if each.container and self.depth >= DEPTH:
                self._leave(each, path, "deep", f"it lies {DEPTH} archives deep, so it was not opened")
                continue
            notes = Notes()
            try:
                data = each.run(data, Job(treatment, each, notes, self.depth + 1, path))
            except (Unhandled, EncryptedArchive) as reason:
                self._leave(each, path, "kept", f"{reason}; it stays as it is")
            except StepFailed as error:
                self._leave(each, path, "malformed", f"{error}; it stays as it is")
            else:
                self._notes.adopt(path, notes)
        return data

    def content(self, data: bytes) -> bytes:
        """What a compressed file holds, after the passes of the file's name without its last ending."""
        return self.member(self._name.rpartition("/")[2].rpartition(".")[0], data)

    def _leave(self, each: Pass, path: str, why: str, message: str) -> None:
        self._notes.of(each.name, each.version).faults.append(Fault(code=f"member-{why}", path=path, message=message))
