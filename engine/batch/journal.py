"""What a folder of results holds: which input has which result, made how; survives any kill."""

import contextlib
import hashlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.batch.inputs import Found, readable
from engine.batch.summary import BatchFailure, Outcome
from engine.batch.writing import result_paths
from engine.errors import BusyError, OutputError

__all__ = ("JOURNAL", "BatchItem", "InputEntry", "Journal")

JOURNAL = "journal.sqlite3"

_VERSION = 1
_PAGE = 256
_PLANNED_AT_ONCE = 1000
_NAME_LIMIT_BYTES = 240

_SCHEMA = """
CREATE TABLE IF NOT EXISTS inputs (
    number INTEGER PRIMARY KEY,
    path BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    stamp TEXT NOT NULL,
    settings TEXT NOT NULL,
    run INTEGER NOT NULL,
    state TEXT NOT NULL,
    frames INTEGER NOT NULL DEFAULT 0,
    result_bytes INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    sentence TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS by_state ON inputs (run, state, size_bytes DESC, number);
"""


class BatchItem(msgspec.Struct, frozen=True):
    """An input on its way to a worker; `path` is as the system spells it."""

    number: int
    path: bytes
    name: str
    kind: str


class InputEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """An input in ``inputs.jsonl``; `seconds` is what a worker spent on it."""

    input: str
    path: str
    state: str
    frames: int
    seconds: float
    sentence: str = ""


class Journal:
    """One file beside the results; only one run at a time has it open.

    The thread that runs the batch calls everything; `waiting` may be iterated in another one.

    Raises
    ------
    BusyError
        When another run has it open.
    OutputError
        When it cannot be written or is damaged.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._path = out / JOURNAL
        self._lock = threading.Lock()
        self._run = 0
        with self._refusals():
            out.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, timeout=0.0
            )
        try:
            with self._refusals():
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def plan(
        self,
        found: Iterable[Found],
        settings: str,
        *,
        again: bool,
        limit: int,
        has_parquet: bool,
        on_planned: Callable[[int], None],
    ) -> None:
        """Note all inputs of a new run; those whose result still holds are done already.

        Parameters
        ----------
        settings : fingerprint of program and settings.
        again : let no earlier result hold.
        limit : take so many inputs; 0 takes all.
        on_planned : called with how many inputs there are, now and then.
        """
        with self._refusals(), self._lock:
            self._db.execute("BEGIN")
            self._run = 1 + self._one("SELECT coalesce(max(run), 0) FROM inputs")
            count = 0
            for one in found:
                count += self._plan_one(one, settings, again=again, has_parquet=has_parquet)
                if count % _PLANNED_AT_ONCE == 0:
                    self._db.execute("COMMIT")
                    self._db.execute("BEGIN")
                    on_planned(count)
                if limit and count >= limit:
                    break
            self._db.execute("COMMIT")

    def count(self, state: str) -> int:
        """Return how many inputs of this run are "waiting", "done" or "failed"."""
        with self._refusals(), self._lock:
            return self._one(
                "SELECT count(*) FROM inputs WHERE run = ? AND state = ?", self._run, state
            )

    def waiting(self) -> Iterator[BatchItem]:
        """Yield what is to be done in this run, large inputs first, so that none is the tail."""
        size, number = 2**62, -1
        while True:
            with self._refusals(), self._lock:
                rows = self._db.execute(
                    "SELECT number, path, name, kind, size_bytes FROM inputs"
                    " WHERE run = ? AND state = 'waiting'"
                    " AND (size_bytes < ? OR (size_bytes = ? AND number > ?))"
                    " ORDER BY size_bytes DESC, number LIMIT ?",
                    (self._run, size, size, number, _PAGE),
                ).fetchall()
            if not rows:
                return
            for row in rows:
                yield BatchItem(*row[:4])
            size, number = rows[-1][4], rows[-1][0]

    def settle(self, outcomes: Sequence[Outcome]) -> list[str]:
        """Note what became of some inputs, all at once, and return their names."""
        with self._refusals(), self._lock, self._db:
            self._db.execute("BEGIN")
            return [self._settle_one(outcome) for outcome in outcomes]

    def entries(self) -> Iterator[InputEntry]:
        """Yield all inputs of this run by name."""
        for name, path, *rest in self._by_name():
            yield InputEntry(name, readable(path), *rest)

    def failures(self) -> Iterator[BatchFailure]:
        """Yield the failed inputs of this run by name."""
        for name, *_, sentence in self._by_name("failed"):
            yield BatchFailure(name, sentence)

    def close(self) -> None:
        """Let go. Safe to call twice."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._db.close()

    def _prepare(self) -> None:
        # Whoever opens it holds it until the end, so no other process ever sees it half-way; and
        # a write-ahead log in this mode needs no shared memory, which network folders lack.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        version = self._one("PRAGMA user_version")
        if version not in (0, _VERSION):
            raise OutputError(
                f"the folder {self._out} was filled by another version of Penstock; choose another"
            )
        self._db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version = {_VERSION};COMMIT;")

    def _plan_one(self, one: Found, settings: str, *, again: bool, has_parquet: bool) -> bool:
        """Note one input; False when this run has it already."""
        path = os.fsencode(one.path)
        known = self._db.execute(
            "SELECT number, name, run, state, stamp, settings, result_bytes FROM inputs"
            " WHERE path = ?",
            (path,),
        ).fetchone()
        if known is None:
            values = (path, self._free_name(one), one.kind or "", one.size_bytes, one.stamp)
            self._db.execute(
                "INSERT INTO inputs (path, name, kind, size_bytes, stamp, settings, run, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting')",
                (*values, settings, self._run),
            )
            return True
        number, name, run, state, *made_from, result_bytes = known
        if run == self._run:
            return False
        results = result_paths(self._out, name)
        is_same = state == "done" and made_from == [one.stamp, settings] and not again
        if is_same and _is_whole(results, result_bytes, has_parquet=has_parquet):
            self._db.execute("UPDATE inputs SET run = ? WHERE number = ?", (self._run, number))
            return True
        for result in results:  # a result that no longer holds must not be taken for one
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                result.unlink()
        self._db.execute(
            "UPDATE inputs SET state = 'waiting', sentence = '', kind = ?, size_bytes = ?,"
            " stamp = ?, settings = ?, run = ? WHERE number = ?",
            (one.kind or "", one.size_bytes, one.stamp, settings, self._run, number),
        )
        return True

    def _settle_one(self, outcome: Outcome) -> str:
        values = (
            "failed" if outcome.sentence else "done",
            outcome.frames,
            outcome.size_bytes,
            outcome.seconds,
            outcome.sentence,
            outcome.number,
        )
        [(name,)] = self._db.execute(
            "UPDATE inputs SET state = ?, frames = ?, result_bytes = ?, seconds = ?,"
            " sentence = ? WHERE number = ? RETURNING name",
            values,
        ).fetchall()
        return str(name)

    def _free_name(self, one: Found) -> str:
        """Return a name that no other input has and that a file system takes."""
        head, _, last = one.name.rpartition("/")
        digest = hashlib.sha256(os.fsencode(one.path)).hexdigest()[:12]
        if len(last.encode()) > _NAME_LIMIT_BYTES:
            last = f"{last.encode()[: _NAME_LIMIT_BYTES - 20].decode(errors='ignore')}.{digest}"
        name = f"{head}/{last}" if head else last
        taken = self._one("SELECT count(*) FROM inputs WHERE name = ?", name)
        return f"{name}.{digest}" if taken else name

    def _by_name(self, state: str = "") -> Iterator[tuple[Any, ...]]:
        """Yield columns of this run's inputs, all or those of one state."""
        name = ""
        while True:
            with self._refusals(), self._lock:
                rows = self._db.execute(
                    "SELECT name, path, state, frames, seconds, sentence FROM inputs"
                    " WHERE run = ? AND name > ? AND ? IN ('', state) ORDER BY name LIMIT ?",
                    (self._run, name, state, _PAGE),
                ).fetchall()
            if not rows:
                return
            yield from rows
            name = rows[-1][0]

    def _one(self, query: str, *values: object) -> int:
        return int(self._db.execute(query, values).fetchone()[0])

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._refusal(error) from error
        except OSError as error:
            if isinstance(error, OutputError | BusyError):
                raise
            raise OutputError(
                f"results cannot be written to {self._out}: {error.strerror or error}; "
                "choose another folder"
            ) from error

    def _refusal(self, error: sqlite3.Error) -> BusyError | OutputError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return BusyError(
                f"another run is writing to {self._out}; wait for its end, or choose another folder"
            )
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            return OutputError(
                f"the journal {self._path} is damaged; delete it, the inputs are then done again"
            )
        return OutputError(
            f"the journal {self._path} cannot be written: {error}; make room or mend the place, "
            "then run the same command again"
        )


def _is_whole(results: tuple[Path, Path], size_bytes: int, *, has_parquet: bool) -> bool:
    """Tell whether a result is still there as it was written."""
    lines, parquet = results
    try:
        return lines.stat().st_size == size_bytes and (not has_parquet or parquet.is_file())
    except OSError:
        return False
