"""What all set-up panels share: a scrolling column, a line for problems, and rows that are kept."""

from collections.abc import Callable, Iterable

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QScrollArea, QVBoxLayout, QWidget

from engine.protocol import Snapshot, Telemetry
from ui.shell.buttons import IconLabel
from ui.shell.layouts import column, discard, label, row, wrapped
from ui.shell.theme import Theme, set_role
from ui.shell.tokens import SPACE_L, SPACE_M, SPACE_S

__all__ = ("MessageLine", "Panel", "RowList", "facts_grid", "section")

_TITLES_PX = 76


class MessageLine(QWidget):
    """One sentence with an icon; hidden while there is nothing to say."""

    def __init__(
        self, theme: Theme, *, icon_name: str = "triangle-alert", tone: str = "error"
    ) -> None:
        super().__init__()
        self._text = label(wrap=True, name="message")
        self._text.setProperty("tone", tone)
        picture = IconLabel(theme, icon_name, tone)
        line = row(spacing=SPACE_S)
        line.addWidget(picture, alignment=Qt.AlignmentFlag.AlignTop)
        line.addWidget(self._text, 1)
        self.setLayout(line)
        self.hide()

    @property
    def text(self) -> str:
        """The sentence shown."""
        return self._text.text()

    def say(self, sentence: str) -> None:
        """Show a sentence; empty hides the line."""
        self._text.setText(sentence)
        self.setVisible(bool(sentence))


class RowList(QWidget):
    """A column of row widgets, one per key; rows are made once and kept while their key stays."""

    def __init__(self, make: Callable[[str], QWidget], *, spacing: int = 0) -> None:
        super().__init__()
        self._make = make
        self._rows: dict[str, QWidget] = {}
        self._keys: tuple[str, ...] = ()
        self._column = column(spacing=spacing)
        self.setLayout(self._column)

    def row(self, key: str) -> QWidget:
        """Return the row of a key."""
        return self._rows[key]

    def sync(self, keys: Iterable[str]) -> None:
        """Show exactly these keys in this order."""
        wanted = tuple(keys)
        if wanted == self._keys:
            return
        self._keys = wanted
        for key in [key for key in self._rows if key not in wanted]:
            gone = self._rows.pop(key)
            self._column.removeWidget(gone)
            discard(gone)
        for position, key in enumerate(wanted):
            if key not in self._rows:
                self._rows[key] = self._make(key)
            self._column.insertWidget(position, self._rows[key])


class Panel(QFrame):
    """Base of the set-up panels; `title_actions` go into the title bar of the dock."""

    def __init__(self, theme: Theme, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self.title_actions: list[QWidget] = []
        self.message = MessageLine(theme)
        self.body: QVBoxLayout = column(spacing=SPACE_M)
        self.body.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_L)
        inner = QWidget()
        inner.setObjectName("scroll_body")
        inner.setLayout(self.body)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(inner)
        self._foot_column = column(self.message, spacing=SPACE_S, margin=SPACE_M)
        self._foot = wrapped(self._foot_column, role="foot")
        self._footer: QWidget | None = None
        self._foot.hide()
        set_role(self, "panel")
        self.setLayout(column(self._scroll, self._foot, spacing=0))

    def sizeHint(self) -> QSize:
        """Return a width that shows a path and its buttons."""
        return QSize(320, 640)

    def minimumSizeHint(self) -> QSize:
        """Return the narrowest width that stays usable."""
        return QSize(264, 160)

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take over the newest state."""
        raise NotImplementedError

    def set_telemetry(self, telemetry: Telemetry) -> None:
        """Take over the newest figures; most panels have none."""

    def set_footer(self, widget: QWidget) -> None:
        """Keep a widget below the scrolling column, always in sight."""
        self._footer = widget
        self._foot_column.addWidget(widget)

    def say(self, sentence: str) -> None:
        """Show why something failed, below the panel; empty hides it."""
        self.message.say(sentence)
        has_footer = self._footer is not None and not self._footer.isHidden()
        self._foot.setVisible(bool(sentence) or has_footer)


def section(title: str, *actions: QWidget) -> QWidget:
    """Return a heading with buttons at its right."""
    line = row(label(title, role="heading"), 1, *actions)
    holder = QWidget()
    holder.setLayout(line)
    return holder


def facts_grid(facts: Iterable[tuple[str, str]]) -> QWidget:
    """Return titles beside texts that can be selected and copied."""
    holder = QWidget()
    lines = QGridLayout()
    lines.setContentsMargins(0, 0, 0, 0)
    lines.setHorizontalSpacing(SPACE_M)
    lines.setVerticalSpacing(SPACE_S)
    lines.setColumnMinimumWidth(0, _TITLES_PX)
    lines.setColumnStretch(1, 1)
    top = Qt.AlignmentFlag.AlignTop
    for line, (title, text) in enumerate(facts):
        value = label(_breakable(text), wrap=True)
        value.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        value.setAccessibleName(f"{title}: {text}")
        name = label(title, role="fact", wrap=False)
        lines.addWidget(name, line, 0, top)
        lines.addWidget(value, line, 1, top)
    holder.setLayout(lines)
    return holder


def _breakable(text: str) -> str:
    """Let long paths, names and hashes wrap, after separators or every eighth figure."""
    if len(text) == 64 and all(c in "0123456789abcdef" for c in text):
        return " ".join(text[i : i + 8] for i in range(0, 64, 8))
    for separator in "/_:":
        text = text.replace(separator, f"{separator}\u200b")
    return text
