"""Passwords are not read over somebody's shoulder, and survive being edited around."""

import pytest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from engine.protocol import DriverParameter
from tests.ui.fakes import FakeChooser
from ui.panels.secret_edits import AddressEdit
from ui.panels.value_editors import ParameterField
from ui.shell.theme import Theme


@pytest.fixture
def address(qtbot: QtBot) -> AddressEdit:
    edit = AddressEdit()
    qtbot.addWidget(edit)
    return edit


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://ann:secret@cam/v",
        "rtsp://:secret@cam:554/v",
        "http://ann:p%40s@cam/v?x=1",
        "rtsp://ann:a:b@cam/v",
    ],
)
def test_the_password_of_an_address_stands_there_as_dots(url: str, address: AddressEdit) -> None:
    address.set_address(url)

    password = url.split("@", maxsplit=1)[0].split("//")[1].partition(":")[2]
    assert password not in address.text()
    assert "\u2022" in address.text()
    assert address.address() == url


@pytest.mark.parametrize(
    "url", ["", "rtsp://cam/v", "rtsp://ann@cam/v", "udp://:5000", "rtsp://a:b@[::1", "a:b@c"]
)
def test_an_address_without_a_password_stands_there_as_it_is(
    url: str, address: AddressEdit
) -> None:
    address.set_address(url)

    assert address.address() == url


def test_the_rest_of_an_address_is_edited_around_its_password(address: AddressEdit) -> None:
    address.set_address("rtsp://ann:secret@cam/v")
    address.setText(address.text().replace("cam/v", "gate/w"))

    assert address.address() == "rtsp://ann:secret@gate/w"


def test_a_password_that_is_typed_anew_replaces_the_old_one(address: AddressEdit) -> None:
    address.set_address("rtsp://ann:secret@cam/v")
    address.setText("rtsp://ann:new@cam/v")

    assert address.address() == "rtsp://ann:new@cam/v"


@pytest.fixture
def field(
    qtbot: QtBot, theme: Theme, chooser: FakeChooser, request: pytest.FixtureRequest
) -> ParameterField:
    made = ParameterField(theme, chooser, DriverParameter("x", "Thing", request.param))
    qtbot.addWidget(made)
    return made


@pytest.mark.parametrize("field", ["secret"], indirect=True)
def test_a_secret_is_shown_as_dots(field: ParameterField) -> None:
    field.set_value("swordfish")

    edit = field.editor
    assert isinstance(edit, QLineEdit)
    assert edit.displayText() == "\u25cf" * 9
    assert field.value() == "swordfish"


@pytest.mark.parametrize("field", ["url"], indirect=True)
def test_an_address_field_gives_back_what_it_was_given(field: ParameterField, qtbot: QtBot) -> None:
    field.set_value("rtsp://ann:secret@cam/v")
    edit = field.editor
    assert isinstance(edit, QLineEdit)
    assert "secret" not in edit.displayText() + edit.toolTip()

    with qtbot.waitSignal(field.edited):
        edit.end(False)
        qtbot.keyClicks(edit, "2")
    assert field.value() == "rtsp://ann:secret@cam/v2"
