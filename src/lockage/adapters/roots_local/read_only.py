"""A store that can be read alone: roots are used and judged there as everywhere, and what is only remembered is not."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lockage import durable
from lockage.ports import StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["if_writable", "move_aside"]

_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def if_writable() -> Iterator[None]:
    """Around what need not be written. Raises StoreUnwritable for any other reason than that this user may not."""
    try:
        yield
    except StoreUnwritable as error:
        if error.details.get("errno") not in _READ_ONLY:
            raise


def move_aside(home: Path, aside: Path) -> bool:
    """Whether a layer was moved out of the way; False: this user may not, and it stays. Raises OSError."""
    try:
        durable.ensure_folder(aside.parent)
        home.rename(aside)
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        return False
    return True
