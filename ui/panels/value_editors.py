"""Editors for the parameters of a driver, one per kind; all have value, set_value and edited."""

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QLineEdit, QSpinBox, QWidget

from engine.config import ParameterValue
from engine.protocol import DriverParameter
from ui.panels.secret_edits import AddressEdit, SecretEdit
from ui.shell.buttons import IconButton, ToggleSwitch
from ui.shell.file_chooser import FileChooser
from ui.shell.layouts import Field, row
from ui.shell.theme import Theme
from ui.shell.tokens import SPACE_XS

__all__ = ("CalmComboBox", "CalmDoubleSpinBox", "CalmSpinBox", "ParameterField", "PathEdit")

_WIDE = 1_000_000_000
_NARROWEST_PX = 72


class CalmComboBox(QComboBox):
    """A combo box that leaves the wheel to the panel around it."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(4)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll the panel, not the choice."""
        event.ignore()


class CalmSpinBox(QSpinBox):
    """A whole number that leaves the wheel to the panel around it."""

    def __init__(self) -> None:
        super().__init__()
        self.setRange(-_WIDE, _WIDE)
        self.setMinimumWidth(_NARROWEST_PX)
        self.lineEdit().setTextMargins(SPACE_XS + 2, 0, 0, 0)
        self.setKeyboardTracking(False)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll the panel, not the number."""
        event.ignore()


class CalmDoubleSpinBox(QDoubleSpinBox):
    """A number that leaves the wheel to the panel and shows no more digits than it has."""

    def __init__(self) -> None:
        super().__init__()
        self.setRange(-_WIDE, _WIDE)
        self.setMinimumWidth(_NARROWEST_PX)
        self.lineEdit().setTextMargins(SPACE_XS + 2, 0, 0, 0)
        self.setDecimals(4)
        self.setKeyboardTracking(False)

    def textFromValue(self, value: float) -> str:
        """Return the number without trailing zeros."""
        return f"{value:.{self.decimals()}f}".rstrip("0").rstrip(".") or "0"

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll the panel, not the number."""
        event.ignore()


class PathEdit(QWidget):
    """A path that can be typed or browsed for.

    `edited` tells every change, `finished` only what was entered or chosen.
    """

    edited = Signal()
    finished = Signal()

    def __init__(
        self, theme: Theme, chooser: FileChooser, title: str, *, is_folder: bool = False
    ) -> None:
        super().__init__()
        self._chooser = chooser
        self._title = title
        self._is_folder = is_folder
        self.folder = ""
        self.shorten: Callable[[str], str] = str
        self.line = QLineEdit()
        self.line.setAccessibleName(title)
        self.browse = IconButton(theme, "folder-open", self.tr("Browse for %s") % title.lower())
        self.browse.clicked.connect(self._on_browse)
        self.line.textEdited.connect(self._on_text)
        self.line.editingFinished.connect(self.finished)
        self.setFocusProxy(self.line)
        self.setLayout(row(self.line, self.browse, spacing=SPACE_XS))

    def value(self) -> str:
        """Return the path."""
        return self.line.text().strip()

    def set_value(self, value: ParameterValue) -> None:
        """Show a path."""
        text = str(value)
        if text != self.line.text():
            self.line.setText(text)
            self.line.setToolTip(text)
            self.line.setCursorPosition(0)

    @Slot()
    def _on_text(self) -> None:
        self.line.setToolTip(self.line.text())
        self.edited.emit()

    @Slot()
    def _on_browse(self) -> None:
        if self._is_folder:
            chosen = self._chooser.open_folder(self, self._title, self.folder)
        else:
            files = self._chooser.open_files(self, self._title, "", self.folder)
            chosen = files[0] if files else ""
        if chosen:
            self.set_value(self.shorten(chosen))
            self.edited.emit()
            self.finished.emit()


class ParameterField(Field):
    """The field of one driver parameter."""

    edited = Signal()

    def __init__(self, theme: Theme, chooser: FileChooser, parameter: DriverParameter) -> None:
        self.parameter = parameter
        self._chooser = chooser
        title = parameter.label + ("" if not parameter.is_required else " *")
        super().__init__(title, self._make(theme, parameter), help_text=parameter.help)
        self.editor.setAccessibleName(parameter.label)
        if parameter.unset:
            self._show_unset(parameter)
        self.set_name(f"source_{parameter.name}")
        self._connect()

    def value(self) -> ParameterValue:
        """Return what stands in the field, in the parameter's type."""
        match self.editor:
            case PathEdit() as path:
                return path.value()
            case CalmSpinBox() | CalmDoubleSpinBox() as number:
                return number.value()
            case ToggleSwitch() as switch:
                return switch.isChecked()
            case QComboBox() as choice:
                return choice.currentText()
            case AddressEdit() as address:
                return address.address()
            case QLineEdit() as line:
                return line.text()
        return ""

    def set_value(self, value: ParameterValue) -> None:
        """Show a value without telling anybody."""
        if value == self.value():
            return  # a number that is just being typed stays as it is
        before = self.editor.blockSignals(True)
        match self.editor:
            case PathEdit() as path:
                path.set_value(value)
            case CalmSpinBox() as whole if isinstance(value, int | float):
                whole.setValue(int(value))
            case CalmDoubleSpinBox() as number if isinstance(value, int | float):
                number.setValue(float(value))
            case ToggleSwitch() as switch:
                switch.set_on(bool(value))
            case QComboBox() as choice:
                choice.setCurrentText(str(value))
            case AddressEdit() as address:
                address.set_address(str(value))
            case QLineEdit() as line:
                line.setText(str(value))
        self.editor.blockSignals(before)

    def _make(self, theme: Theme, parameter: DriverParameter) -> QWidget:
        match parameter.kind:
            case "path" | "folder":
                is_folder = parameter.kind == "folder"
                return PathEdit(theme, self._chooser, parameter.label, is_folder=is_folder)
            case "integer":
                return _with_unit(CalmSpinBox(), parameter.unit)
            case "number":
                return _with_unit(CalmDoubleSpinBox(), parameter.unit)
            case "boolean":
                return ToggleSwitch(theme, parameter.label)
            case "choice":
                combo = CalmComboBox()
                combo.addItems(list(parameter.choices))
                return combo
            case "text" if parameter.choices:  # suggestions, anything else may be typed
                suggestions = CalmComboBox()
                suggestions.setEditable(True)
                suggestions.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
                suggestions.addItems(list(parameter.choices))
                suggestions.setCurrentText("")
                return suggestions
        return _text_edit(parameter.kind)

    def _show_unset(self, parameter: DriverParameter) -> None:
        """Say in the field what its emptiness, or its smallest number, stands for."""
        match self.editor:
            case PathEdit() as path:
                path.line.setPlaceholderText(parameter.unset)
            case CalmSpinBox() as whole if parameter.minimum is not None:
                whole.setMinimum(int(parameter.minimum))
                whole.setSpecialValueText(parameter.unset)
            case CalmDoubleSpinBox() as number if parameter.minimum is not None:
                number.setMinimum(parameter.minimum)
                number.setSpecialValueText(parameter.unset)
            case QComboBox() as choice if choice.isEditable():
                choice.lineEdit().setPlaceholderText(parameter.unset)
            case QLineEdit() as line:
                line.setPlaceholderText(parameter.unset)

    def _connect(self) -> None:
        match self.editor:
            case PathEdit() as path:
                path.edited.connect(self.edited)
            case QSpinBox() | QDoubleSpinBox() as number:
                number.valueChanged.connect(self._on_value)
            case ToggleSwitch() as switch:
                switch.toggled.connect(self._on_value)
            case QComboBox() as choice if choice.isEditable():
                choice.currentTextChanged.connect(self._on_value)
            case QComboBox() as choice:
                choice.currentIndexChanged.connect(self._on_value)
            case QLineEdit() as line:
                line.textEdited.connect(self._on_value)

    @Slot()
    def _on_value(self) -> None:
        self.edited.emit()


def _text_edit(kind: str) -> QLineEdit:
    match kind:
        case "secret":
            return SecretEdit()
        case "url":
            return AddressEdit()
    return QLineEdit()


def _with_unit(box: CalmSpinBox | CalmDoubleSpinBox, unit: str) -> QWidget:
    if unit:
        box.setSuffix(f" {unit}")
    box.setAlignment(Qt.AlignmentFlag.AlignLeft)
    return box
