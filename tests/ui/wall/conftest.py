from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from engine.protocol import StreamState
from tests.ui.wall.fakes import FakeClock, FakePreviews, snapshot
from tests.ui.wall.fixtures import *  # noqa: F403  (fixtures)
from ui.shell.theme import Theme
from ui.wall import TileWall


@pytest.fixture
def previews() -> FakePreviews:
    return FakePreviews()


@pytest.fixture
def make_wall(
    qtbot: QtBot, theme: Theme, clock: FakeClock, previews: FakePreviews
) -> Callable[..., TileWall]:
    """Return a function that shows a wall of 640x388 with the given streams."""

    def make(*streams: StreamState, labels: tuple[str, ...] = ()) -> TileWall:
        wall = TileWall(theme, previews, clock=clock)
        qtbot.addWidget(wall)
        wall.resize(656, 404)
        wall.show()
        wall.set_snapshot(snapshot(*streams, labels=labels))
        return wall

    return make
