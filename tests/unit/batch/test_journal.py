"""The journal of a folder of results, without workers."""

import sqlite3
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.batch.inputs import Found, InputKind
from engine.batch.journal import JOURNAL, Journal
from engine.batch.summary import Outcome
from engine.errors import BusyError, OutputError


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path)
    yield opened
    opened.close()


def found(count: int, **changes: object) -> Iterator[Found]:
    for number in range(count):
        fields = {"size_bytes": number % 7, "stamp": "1"} | changes
        name = f"{number:06d}.png"
        yield Found(f"/x/{name}", name, InputKind.PICTURE, **fields)


def plan(journal: Journal, inputs: Iterator[Found], **changes: object) -> None:
    chosen = {"again": False, "limit": 0, "has_parquet": False} | changes
    journal.plan(inputs, "settings", on_planned=lambda _: None, **chosen)


def finish(journal: Journal, out: Path) -> None:
    for item in journal.waiting():
        (out / f"{item.name}.jsonl").write_text("{}\n")
        journal.settle([Outcome(item.number, frames=1, size_bytes=3)])


def test_each_waiting_input_comes_once_and_the_largest_first(journal: Journal) -> None:
    plan(journal, found(1000))
    items = [(int(item.name[:6]) % 7, item.number) for item in journal.waiting()]

    assert len(items) == 1000
    assert items == sorted(items, key=lambda one: (-one[0], one[1]))


def test_inputs_that_are_settled_while_the_others_are_given_out_change_nothing(
    journal: Journal, tmp_path: Path
) -> None:
    plan(journal, found(1000))
    finish(journal, tmp_path)

    assert (journal.count("waiting"), journal.count("done")) == (0, 1000)


def test_memory_does_not_grow_with_the_number_of_inputs(journal: Journal) -> None:
    plan(journal, found(100))
    tracemalloc.start()
    plan(journal, found(20_000))
    assert sum(1 for _ in journal.waiting()) == 20_000
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 1_000_000


def test_what_was_settled_is_known_to_the_next_run(tmp_path: Path) -> None:
    first = Journal(tmp_path)
    plan(first, found(5))
    finish(first, tmp_path)
    first.close()

    second = Journal(tmp_path)
    plan(second, found(6))
    assert (second.count("waiting"), second.count("done")) == (1, 5)
    plan(second, found(6, stamp="2"), limit=2)
    assert (second.count("waiting"), second.count("done")) == (2, 0)
    second.close()


def test_a_failed_input_waits_again_in_the_next_run(journal: Journal) -> None:
    plan(journal, found(1))
    [item] = journal.waiting()
    journal.settle([Outcome(item.number, sentence="it is damaged")])
    assert [f.sentence for f in journal.failures()] == ["it is damaged"]
    plan(journal, found(1))

    assert journal.count("waiting") == 1


def test_two_inputs_that_would_have_one_name_get_two(journal: Journal) -> None:
    same = [Found(path, "a.png", InputKind.PICTURE, 1, "1") for path in ("/x/a.png", "/y/a.png")]
    plan(journal, iter(same))
    names = sorted(item.name for item in journal.waiting())

    assert names[0] == "a.png"
    assert names[1].startswith("a.png.")


def test_a_killed_process_leaves_all_that_it_settled(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from engine.batch.journal import Journal\n"
        "from engine.batch.summary import Outcome\n"
        "from tests.unit.batch.test_journal import found, plan\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "plan(journal, found(10))\n"
        "for item in list(journal.waiting())[:7]:\n"
        "    journal.settle([Outcome(item.number, sentence='damaged')])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], timeout=50, check=False)
    assert done.returncode == -9

    with sqlite3.connect(tmp_path / JOURNAL) as db:
        counts = dict(db.execute("SELECT state, count(*) FROM inputs GROUP BY state").fetchall())
    db.close()
    assert counts == {"failed": 7, "waiting": 3}


def test_a_damaged_journal_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_bytes(b"this is no journal " * 100)

    with pytest.raises(OutputError, match="is damaged; delete it"):
        Journal(tmp_path)


def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / JOURNAL) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()

    with pytest.raises(OutputError, match="another version"):
        Journal(tmp_path)


def test_only_one_at_a_time_has_it_open(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(BusyError, match="another run"):
        Journal(tmp_path)
    journal.close()
    Journal(tmp_path).close()
