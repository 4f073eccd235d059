"""A theme, a control and a chooser for panels."""

import os

import pytest
from pytestqt.qtbot import QtBot

from tests.ui.fakes import FakeChooser, FakeControl
from ui.shell.theme import Theme

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture
def theme(qtbot: QtBot) -> Theme:
    return Theme("dark")


@pytest.fixture
def control() -> FakeControl:
    return FakeControl()


@pytest.fixture
def chooser() -> FakeChooser:
    return FakeChooser()
