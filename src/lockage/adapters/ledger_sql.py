"""The ledger in SQLite: entries, tree nodes and the head in one file, one transaction for each append.

The standard library's sqlite3 is used and nothing above it: four statements need no query builder, and importing one would
cost every command more time than the ledger takes. The tables are plain enough to be had on another database.

Invariants: WAL and synchronous=FULL, so that a commit is on the disk when it returns; the size is compared and the rows are
written under one write lock; an append is only made to a tree whose edge leads to the checkpoint that is stored with it.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lockage import durable
from lockage.base.instant import Instant
from lockage.ledger.checkpoint import read_checkpoint
from lockage.ledger.errors import InvalidCheckpoint
from lockage.ledger.merkle import edge_nodes, extend, root_of
from lockage.ports import LedgerConflict, LedgerCorrupt, LedgerHead, StoreUnreadable, StoreUnwritable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from tempfile import TemporaryDirectory

__all__ = ["SqlLedger"]

#: PRAGMA user_version of this layout.
_LAYOUT = 1
#: PRAGMA application_id: "lckg".
_APPLICATION = 0x6C636B67
#: How long to wait for another process's append, in seconds.
_PATIENCE = 30.0
#: Rows fetched at a time, so that no read lasts through a caller's pause.
_PAGE = 1000

_TABLES = """
CREATE TABLE entry (sequence INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE node (level INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (level, position)) STRICT, WITHOUT ROWID;
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL, time INTEGER NOT NULL,
  checkpoint BLOB NOT NULL) STRICT;
"""

_PAGE_OF_ENTRIES = "SELECT sequence, data FROM entry WHERE sequence >= ? ORDER BY sequence LIMIT ?"
_UNWRITABLE = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "the file or its file system is read-only",
    sqlite3.SQLITE_CANTOPEN: "the file or its folder cannot be opened for writing",
    sqlite3.SQLITE_PERM: "permission is missing",
    sqlite3.SQLITE_IOERR: "the disk is full or faulty",
    sqlite3.SQLITE_BUSY: f"another process has held it for more than {_PATIENCE:.0f} seconds",
    sqlite3.SQLITE_TOOBIG: "the entry is too large",
}


#: What SQLite says if it cannot make or write the files beside a database that even reading needs.
_NO_WRITING = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM}


class SqlLedger:
    """Implements :class:`lockage.ports.Ledger`. The file is made by the first append; reading an absent one finds nothing.

    One object is for one thread at a time; processes and further objects on the same file exclude each other.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._to_read = False
        self._copy: TemporaryDirectory[str] | None = None

    def close(self) -> None:
        """Let go of the file; the next call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._copy is not None:
            self._copy.cleanup()
        self._copy, self._to_read = None, False

    def head(self) -> LedgerHead | None:
        connection = self._opened(make=False)
        if connection is None:
            return None
        with self._reporting():
            connection.execute("BEGIN")
            try:
                return self._head(connection)
            finally:
                connection.execute("ROLLBACK")

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        connection = self._opened(make=False)
        place = start
        while connection is not None and (stop is None or place < stop):
            wanted = _PAGE if stop is None else min(_PAGE, stop - place)
            with self._reporting():
                rows = connection.execute(_PAGE_OF_ENTRIES, (place, wanted)).fetchall()
            for sequence, data in rows:
                if sequence != place or not isinstance(data, bytes):
                    raise LedgerCorrupt(f"ledger entry {place} is missing in {self._file}", file=str(self._file), entry=place)
                place += 1
                yield data
            if len(rows) < wanted:
                return

    def node(self, level: int, index: int) -> bytes | None:
        connection = self._opened(make=False)
        if connection is None:
            return None
        with self._reporting():
            return self._node(connection, level, index)

    def append(self, entries: Sequence[bytes], *, expected: int, checkpoint: bytes, time: Instant) -> None:
        connection = self._opened(make=True)
        assert connection is not None
        with self._reporting():
            durable.reached("before-begin")
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._append(connection, entries, expected, checkpoint, time)
                durable.reached("before-commit")
                connection.execute("COMMIT")
                durable.reached("committed")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _append(self, connection: sqlite3.Connection, entries: Sequence[bytes], expected: int, checkpoint: bytes, time: Instant) -> None:
        head = self._head(connection)
        size = head.size if head is not None else 0
        if size != expected:
            raise LedgerConflict(f"the ledger has {size} entries, {expected} were expected", expected=expected, found=size)
        if head is not None:
            if time < head.time:
                raise LedgerCorrupt(
                    f"an append is dated {time}, before the last entry's {head.time}", expected=str(head.time), found=str(time)
                )
            self._check(head.checkpoint, size, root_of(head.edge))
        edge, nodes = extend(head.edge if head is not None else (), size, entries)
        self._check(checkpoint, size + len(entries), root_of(edge))
        connection.executemany("INSERT INTO entry VALUES (?, ?)", ((size + place, bytes(data)) for place, data in enumerate(entries)))
        durable.reached("entries-written")
        connection.executemany("INSERT INTO node VALUES (?, ?, ?)", ((node.level, node.index, node.hash) for node in nodes))
        durable.reached("nodes-written")
        connection.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?, ?)", (size + len(entries), int(time), checkpoint))

    def _check(self, note: bytes, size: int, root: bytes) -> None:
        try:
            checkpoint = read_checkpoint(note)
        except InvalidCheckpoint as error:
            raise LedgerCorrupt(f"the ledger's checkpoint cannot be read: {error}", file=str(self._file)) from error
        if checkpoint.size != size or checkpoint.root != root:
            raise LedgerCorrupt(
                f"the tree of {size} entries has the root {root.hex()}, its checkpoint says {checkpoint.size}, {checkpoint.root.hex()}",
                file=str(self._file),
                expected=checkpoint.root.hex(),
                found=root.hex(),
            )

    def _head(self, connection: sqlite3.Connection) -> LedgerHead | None:
        row = connection.execute("SELECT size, time, checkpoint FROM head").fetchone()
        last = connection.execute("SELECT max(sequence) FROM entry").fetchone()[0]
        size = 0 if row is None else row[0]
        if size != (0 if last is None else last + 1):
            raise LedgerCorrupt(f"the ledger's head says {size} entries, the last entry is {last}", file=str(self._file), expected=size)
        if row is None:
            return None
        edge = []
        for level, index in edge_nodes(size):
            found = self._node(connection, level, index)
            if found is None:
                raise LedgerCorrupt(
                    f"the ledger's tree has no node {index} of level {level}", file=str(self._file), level=level, index=index
                )
            edge.append(found)
        return LedgerHead(size=size, edge=tuple(edge), time=Instant(row[1]), checkpoint=row[2])

    def _node(self, connection: sqlite3.Connection, level: int, index: int) -> bytes | None:
        row = connection.execute("SELECT hash FROM node WHERE level = ? AND position = ?", (level, index)).fetchone()
        return None if row is None else bytes(row[0])

    # Opening

    def _opened(self, *, make: bool) -> sqlite3.Connection | None:
        if self._connection is None:
            try:
                exists = self._file.exists()
            except OSError as error:
                raise StoreUnreadable(f"cannot read the ledger {self._file}: {error.strerror}", path=str(self._file)) from error
            if not exists:
                if not make:
                    return None
                self._create()
            with self._reporting():
                try:
                    self._connection = self._admitted(self._connect(self._file))
                except sqlite3.OperationalError as error:
                    if make or getattr(error, "sqlite_errorcode", 0) & 0xFF not in _NO_WRITING:
                        raise
                    self._connection = self._admitted(self._connect_to_read())
        elif make and self._to_read:
            self.close()
            return self._opened(make=True)
        return self._connection

    def _connect_to_read(self) -> sqlite3.Connection:
        """Read where nothing can be written, not even the index that readers and writers of a database share.

        What a process that was killed left in the write-ahead log counts, so that it is read from a copy then. If somebody who may
        write does so meanwhile, what is read may not fit together, which whoever checks it against the checkpoint finds.
        """
        self._to_read = True
        log = self._file.with_name(f"{self._file.name}-wal")
        if not log.exists() or not log.stat().st_size:
            return sqlite3.connect(f"{self._file.absolute().as_uri()}?immutable=1", uri=True, isolation_level=None, check_same_thread=False)
        import shutil  # only here: it brings all compressors
        import tempfile

        self._copy = tempfile.TemporaryDirectory(prefix="lockage-ledger-")
        for file in (self._file, log):
            shutil.copyfile(file, Path(self._copy.name) / file.name)
        return self._connect(Path(self._copy.name) / self._file.name)

    def _connect(self, file: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous = FULL")  # the first statement opens the files
        except sqlite3.OperationalError:
            _never_close(connection)
            raise
        return connection

    def _admitted(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        try:
            layout = connection.execute("PRAGMA user_version").fetchone()[0]
            application = connection.execute("PRAGMA application_id").fetchone()[0]
        except sqlite3.OperationalError:
            _never_close(connection)
            raise
        if layout > _LAYOUT:
            raise StoreUnreadable(
                f"the ledger {self._file} has layout {layout}, this lockage knows {_LAYOUT}",
                hint="Upgrade lockage; a newer one made this ledger.",
                file=str(self._file),
                expected=_LAYOUT,
                found=layout,
            )
        if layout != _LAYOUT or application != _APPLICATION:
            raise LedgerCorrupt(f"{self._file} is not a lockage ledger", file=str(self._file), expected=_LAYOUT, found=layout)
        return connection

    def _create(self) -> None:
        """Make an empty ledger beside the file and give it its name: nobody sees half of one, and whoever is first wins."""
        folder = self._file.parent
        fresh = self._file.with_name(f".{self._file.name}.fresh")
        with durable.locked_folder(folder), durable.unwritable(folder), self._reporting():
            if self._file.exists():
                return
            for left in folder.glob(f"{fresh.name}*"):
                left.unlink()
            connection = self._connect(fresh)
            try:
                pragmas = f"PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {_LAYOUT};"
                connection.executescript(f"{pragmas} BEGIN; {_TABLES} COMMIT;")
                mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            finally:
                connection.close()
            # SQLite raises nothing if the mode cannot be changed, and may leave a journal that the file would need.
            if mode != "wal" or len(list(folder.glob(f"{fresh.name}*"))) != 1:
                cause = "the disk is full or faulty"
                raise StoreUnwritable(f"cannot make the ledger {self._file}: {cause}", folder=str(folder), cause=cause)
            fresh.chmod(0o600)
            durable.reached("ledger-made")
            fresh.rename(self._file)
            durable.sync_folder(folder)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Turn SQLite's errors into the port's."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _UNWRITABLE:
                raise StoreUnwritable(
                    f"cannot write the ledger {self._file}: {_UNWRITABLE[code]} ({error})",
                    folder=str(self._file.parent),
                    cause=_UNWRITABLE[code],
                ) from error
            raise LedgerCorrupt(f"the ledger {self._file} is damaged: {error}", file=str(self._file)) from error


def _never_close(connection: sqlite3.Connection) -> None:
    """Keep a connection that could not make the index of the write-ahead log from ever being closed: SQLite would delete the log.

    It takes such a log for one that nobody needs, though it may hold what was committed last (seen with 3.40).
    """
    import ctypes  # only on the way to an error

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
