"""What stands in place of the tiles while there is no stream."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from ui.shell.theme import set_role
from ui.shell.tokens import SPACE_M, SPACE_S

__all__ = ("EmptyWall",)


class EmptyWall(QWidget):
    """Says what belongs here and offers the one button that starts it."""

    open_requested = Signal()

    def __init__(self, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("empty_wall")
        title = QLabel(self.tr("No streams yet"))
        title.setObjectName("empty_title")
        set_role(title, "title")
        hint = QLabel(self.tr("Every stream of the project gets a tile here."))
        hint.setObjectName("empty_hint")
        set_role(hint, "muted")
        button = QPushButton(self.tr("Open a project"))
        button.setObjectName("open_project")
        button.setAccessibleDescription(self.tr("Opens a project whose streams are then shown."))
        set_role(button, "primary")
        button.clicked.connect(self.open_requested)
        layout = QVBoxLayout(self)
        layout.setSpacing(SPACE_S)
        layout.addStretch()
        layout.addWidget(title, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(hint, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addSpacing(SPACE_M)
        layout.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch()
