"""Stand-ins for uv: made-up wheels with nothing but metadata, in a folder of links. uv chooses among them and never builds a thing."""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lockage.environment.python import PythonTarget
    from lockage.environment.stand_in import Offer, StandIn

__all__ = ["is_stand_in", "stand_ins_in"]

#: uv prefers the higher of two build numbers, so a stand-in counts where an index has a wheel of the same version and tag.
_BUILD = "999999999lockage"


def is_stand_in(file: str) -> bool:
    """Whether a wheel's file name is one that :func:`stand_ins_in` gives."""
    return f"-{_BUILD}-" in file


def stand_ins_in(folder: Path, offers: Sequence[Offer], target: PythonTarget, platform: str) -> str:
    """Write all stand-ins into a new folder, and give its address; ``platform`` is the best tag that uv accepts."""
    folder.mkdir()
    interpreter = f"cp{target.pair[0]}{target.pair[1]}"
    tag = f"{interpreter}-{interpreter}-{platform}"
    for offer in offers:
        for stand_in in offer.stand_ins:
            _write(folder, stand_in, tag)
    return folder.absolute().as_uri()


def _write(folder: Path, stand_in: StandIn, tag: str) -> None:
    stem = f"{re.sub('[-_.]+', '_', stand_in.name)}-{stand_in.version}"
    metadata = stand_in.metadata
    requires_python = stand_in.requires_python if metadata is None else metadata.requires_python
    lines = ["Metadata-Version: 2.1", f"Name: {stand_in.name}", f"Version: {stand_in.version}"]
    lines += [f"Requires-Python: {requires_python}"] if requires_python else []
    if metadata is not None:
        lines += [f"Provides-Extra: {extra}" for extra in metadata.extras]
        lines += [f"Requires-Dist: {requirement}" for requirement in metadata.requires]
    wheel = ("Wheel-Version: 1.0", "Generator: lockage", "Root-Is-Purelib: true", f"Tag: {tag}")
    with zipfile.ZipFile(folder / f"{stem}-{_BUILD}-{tag}.whl", "w") as archive:
        for name, text in (("METADATA", lines), ("WHEEL", wheel), ("RECORD", ())):
            archive.writestr(f"{stem}.dist-info/{name}", "".join(f"{line}\n" for line in text))
