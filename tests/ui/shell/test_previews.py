"""The preview book follows the segments the engine names."""

from engine.errors import SegmentLostError
from engine.protocol import PreviewPlace, Snapshot, StreamState
from ui.bridge.previews import PreviewBook


class FakeReader:
    def __init__(self, place: PreviewPlace) -> None:
        self.place = place
        self.is_closed = False
        self.error: SegmentLostError | None = None

    def read(self) -> str:
        if self.error is not None:
            raise self.error
        return f"picture from {self.place.segment}"

    def close(self) -> None:
        self.is_closed = True


class Opener:
    def __init__(self) -> None:
        self.readers: list[FakeReader] = []
        self.error: SegmentLostError | None = None

    def __call__(self, place: PreviewPlace) -> FakeReader:
        if self.error is not None:
            raise self.error
        self.readers.append(FakeReader(place))
        return self.readers[-1]


def state(segment: str) -> Snapshot:
    place = PreviewPlace(segment, 640, 360) if segment else None
    return Snapshot(streams=(StreamState("street", preview=place),))


def test_a_stream_without_a_place_has_no_picture() -> None:
    book = PreviewBook(Opener())
    book.set_snapshot(state(""))
    assert book.read("street") is None


def test_a_place_is_opened_once_and_read() -> None:
    opener = Opener()
    book = PreviewBook(opener)
    book.set_snapshot(state("a"))
    assert book.read("street") == "picture from a"
    book.set_snapshot(state("a"))
    book.read("street")
    assert len(opener.readers) == 1


def test_a_new_place_replaces_the_old_one() -> None:
    opener = Opener()
    book = PreviewBook(opener)
    book.set_snapshot(state("a"))
    book.read("street")
    book.set_snapshot(state("b"))
    assert opener.readers[0].is_closed
    assert book.read("street") == "picture from b"


def test_a_lost_segment_is_given_up_until_the_engine_names_another() -> None:
    opener = Opener()
    opener.error = SegmentLostError("segment 'a' is gone")
    book = PreviewBook(opener)
    book.set_snapshot(state("a"))
    assert book.read("street") is None
    opener.error = None
    assert book.read("street") is None
    book.set_snapshot(state("b"))
    assert book.read("street") == "picture from b"


def test_a_segment_that_vanishes_while_reading_is_let_go() -> None:
    opener = Opener()
    book = PreviewBook(opener)
    book.set_snapshot(state("a"))
    book.read("street")
    opener.readers[0].error = SegmentLostError("segment 'a' is gone")
    assert book.read("street") is None
    assert opener.readers[0].is_closed


def test_closing_twice_closes_every_reader_once() -> None:
    opener = Opener()
    book = PreviewBook(opener)
    book.set_snapshot(state("a"))
    book.read("street")
    book.close()
    book.close()
    assert opener.readers[0].is_closed
    assert book.read("street") is None
