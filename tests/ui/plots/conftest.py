from tests.ui.wall.fixtures import *  # noqa: F403  (fixtures)
