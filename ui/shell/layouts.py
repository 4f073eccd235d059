"""Small building blocks of panels: rows, columns, headings, fields, badges, empty states."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ui.shell.buttons import IconLabel, TextButton
from ui.shell.theme import Theme, set_role, set_tone
from ui.shell.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL, SPACE_XS

__all__ = (
    "EmptyState",
    "Field",
    "StateBadge",
    "clear",
    "column",
    "discard",
    "elided",
    "hairline",
    "label",
    "row",
    "wrapped",
)


def column(*items: QWidget | QLayout | int, spacing: int = SPACE_S, margin: int = 0) -> QVBoxLayout:
    """Return a vertical layout; an integer is a stretch of that factor."""
    layout = QVBoxLayout()
    _fill(layout, items, spacing, margin)
    return layout


def row(*items: QWidget | QLayout | int, spacing: int = SPACE_S, margin: int = 0) -> QHBoxLayout:
    """Return a horizontal layout; an integer is a stretch of that factor."""
    layout = QHBoxLayout()
    _fill(layout, items, spacing, margin)
    return layout


def _fill(
    layout: QVBoxLayout | QHBoxLayout,
    items: tuple[QWidget | QLayout | int, ...],
    spacing: int,
    margin: int,
) -> None:
    layout.setSpacing(spacing)
    layout.setContentsMargins(margin, margin, margin, margin)
    for item in items:
        if isinstance(item, int):
            layout.addStretch(item)
        elif isinstance(item, QWidget):
            layout.addWidget(item)
        else:
            layout.addLayout(item)


def clear(layout: QLayout) -> None:
    """Take every widget out of a layout and delete it."""
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            discard(widget)


def discard(widget: QWidget) -> None:
    """Take a widget out of sight and out of its parent now, and delete it later."""
    widget.hide()
    widget.setParent(None)
    widget.deleteLater()


def wrapped(layout: QLayout, *, role: str = "", parent: QWidget | None = None) -> QFrame:
    """Return a frame that holds a layout."""
    frame = QFrame(parent)
    frame.setLayout(layout)
    if role:
        set_role(frame, role)
    return frame


def label(text: str = "", *, role: str = "", name: str = "", wrap: bool = False) -> QLabel:
    """Return a label that never takes text for rich text."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setIndent(0)
    made.setWordWrap(wrap)
    if wrap:
        made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    if role:
        set_role(made, role)
    if name:
        made.setObjectName(name)
    return made


def elided(text: str, widget: QWidget, width: int, *, middle: bool = False) -> str:
    """Return the text shortened to a width in the widget's font."""
    mode = Qt.TextElideMode.ElideMiddle if middle else Qt.TextElideMode.ElideRight
    return widget.fontMetrics().elidedText(text, mode, max(width, 0))


def hairline() -> QFrame:
    """Return a line of one pixel between sections."""
    line = QFrame()
    line.setFixedHeight(1)
    set_role(line, "hairline")
    return line


class Field(QWidget):
    """A label above a field, and below it the problem in one sentence."""

    def __init__(
        self, title: str, editor: QWidget, *, help_text: str = "", beside: QWidget | None = None
    ) -> None:
        super().__init__()
        self.editor = editor
        self._title = label(title, role="field")
        self._title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._title.setBuddy(editor)
        self._problem = label(role="problem", wrap=True)
        self._problem.hide()
        if not editor.accessibleName():
            editor.setAccessibleName(title)
        if help_text:
            self.setToolTip(help_text)
            editor.setToolTip(help_text)
            editor.setAccessibleDescription(help_text)
        line = row(editor) if beside is None else row(editor, beside, spacing=SPACE_S)
        if editor.sizePolicy().horizontalPolicy() == QSizePolicy.Policy.Fixed:
            line.addStretch(1)
        self.setLayout(column(self._title, line, self._problem, spacing=SPACE_XS))

    def set_name(self, name: str) -> None:
        """Name editor and problem: `<name>` and `<name>_problem`."""
        self.editor.setObjectName(name)
        self._problem.setObjectName(f"{name}_problem")

    def set_title(self, title: str) -> None:
        """Change the label above the field."""
        self._title.setText(title)

    @property
    def problem(self) -> str:
        """The sentence shown below the field."""
        return self._problem.text()

    def set_problem(self, sentence: str) -> None:
        """Say what is wrong; empty when nothing is."""
        self._problem.setText(sentence)
        self._problem.setVisible(bool(sentence))
        target = self.editor.focusProxy() or self.editor
        set_tone(target, "error" if sentence else "")


class StateBadge(QWidget):
    """Icon and word that say how things stand."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._icon = IconLabel(theme, size_px=16)
        self._word = label()
        self.setLayout(row(self._icon, self._word, spacing=SPACE_XS))
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)

    @property
    def word(self) -> str:
        """The word shown."""
        return self._word.text()

    def set_state(self, icon_name: str, word: str, tone: str) -> None:
        """Show a state; `tone` is the name of a token."""
        self._icon.set_icon(icon_name, tone)
        self._word.setText(word)
        set_tone(self._word, tone)
        self.setAccessibleName(word)


class EmptyState(QWidget):
    """Says what belongs here and offers the one button that starts it."""

    asked = Signal()

    def __init__(
        self, theme: Theme, icon_name: str, sentence: str, button: str, *, button_icon: str = "plus"
    ) -> None:
        super().__init__()
        picture = IconLabel(theme, icon_name, "muted", size_px=32)
        text = label(sentence, role="muted", wrap=True)
        text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.button = TextButton(theme, button, icon_name=button_icon, role="primary")
        self.button.setObjectName("empty_button")
        self.button.clicked.connect(self.asked)
        center = Qt.AlignmentFlag.AlignHCenter
        layout = column(spacing=SPACE_M)
        layout.setContentsMargins(SPACE_L, SPACE_XL, SPACE_L, SPACE_XL)
        layout.addWidget(picture, alignment=center)
        layout.addWidget(text)
        layout.addWidget(self.button, alignment=center)
        self.setLayout(layout)
