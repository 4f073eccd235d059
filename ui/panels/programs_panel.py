"""Programs: open, look at, unload."""

from typing import cast

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QWidget

from engine.protocol import Snapshot
from ui.panels.list_row import ListRow
from ui.panels.panel import Panel, RowList, facts_grid
from ui.shell.buttons import IconButton, TextButton
from ui.shell.file_chooser import FileChooser
from ui.shell.layouts import EmptyState, clear, column, hairline, label, row, wrapped
from ui.shell.theme import Theme, set_role, set_tone
from ui.shell.tokens import SPACE_M
from ui.viewmodels.programs import ProgramsViewModel

__all__ = ("ProgramsPanel",)


class ProgramsPanel(Panel):
    """Lets the user open DFP files by dialog or by dropping them here."""

    def __init__(
        self,
        theme: Theme,
        view_model: ProgramsViewModel,
        chooser: FileChooser,
        *,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, parent=parent)
        self._view_model = view_model
        self._chooser = chooser
        self._shown: object = None
        self.setAcceptDrops(True)
        self._open = IconButton(theme, "plus", self.tr("Open a program (DFP)"))
        self._open.setObjectName("open_program")
        self._open.clicked.connect(self._on_open)
        self.title_actions = [self._open]
        self._empty = EmptyState(
            theme,
            "package",
            self.tr(
                "No program yet. Open a DFP, or compile an ONNX model with "
                "\u201cpenstock compile\u201d."
            ),
            self.tr("Open a DFP"),
            button_icon="folder-open",
        )
        self._empty.asked.connect(self._on_open)
        self._rows = RowList(self._make_row)
        self._unload = TextButton(theme, self.tr("Unload"), icon_name="trash-2")
        self._unload.setObjectName("unload")
        self._unload.clicked.connect(self._on_unload)
        self._title = label(role="title", name="program_title", wrap=True)
        self._details = QWidget()
        self._details_column = column(spacing=SPACE_M)
        self._details.setLayout(self._details_column)
        self._line = hairline()
        head = row(self._title, self._unload)
        head.setStretch(0, 1)
        self._head = wrapped(head)
        drop = label(self.tr("Drop DFP files here"), role="caption")
        drop.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._drop = wrapped(column(drop, margin=SPACE_M))
        set_role(self._drop, "drop")
        for widget in (self._empty, self._rows, self._drop, self._line, self._head, self._details):
            self.body.addWidget(widget)
        self.body.addStretch(1)
        view_model.changed = self._refresh
        self._refresh()

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take over the newest state."""
        self._view_model.set_snapshot(snapshot)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Accept files; what they are is judged when they are dropped."""
        if event.mimeData().hasUrls():
            set_tone(self._drop, "accent")
            event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Take the mark back."""
        set_tone(self._drop, "")
        super().dragLeaveEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:
        """Open the dropped files."""
        set_tone(self._drop, "")
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self._view_model.open(paths)

    def _make_row(self, name: str) -> QWidget:
        made = ListRow(self.theme, name)
        made.chosen.connect(self._on_chosen)
        return made

    def _refresh(self) -> None:
        model = self._view_model
        programs = model.programs
        self._rows.sync(program.name for program in programs)
        for program in programs:
            widget = cast("ListRow", self._rows.row(program.name))
            icon_name, tone = ("circle-x", "error") if program.problem else ("package", "text")
            widget.show_state(icon_name, tone, program.name, "", model.subtitle(program))
            widget.set_selected(program.name == model.selected)
        is_empty = not programs
        self._empty.setVisible(is_empty)
        for part in (self._drop, self._rows, self._line, self._head, self._details):
            part.setVisible(not is_empty)
        self._show_details()
        self.say(model.message)

    def _show_details(self) -> None:
        program = self._view_model.program
        details = self._view_model.details()
        if self._shown == (program, details):
            return
        self._shown = (program, details)
        self._title.setText(program.name if program is not None else "")
        layout = self._details_column
        clear(layout)
        if program is not None and program.problem:
            layout.addWidget(label(program.problem, role="problem", wrap=True, name="problem"))
        layout.addWidget(facts_grid(details))

    @Slot()
    def _on_open(self) -> None:
        files = self._chooser.open_files(
            self, self.tr("Open programs"), self.tr("Programs (*.dfp);;All files (*)"), ""
        )
        if files:
            self._view_model.open(files)

    @Slot(str)
    def _on_chosen(self, name: str) -> None:
        self._view_model.select(name)

    @Slot()
    def _on_unload(self) -> None:
        if self._view_model.selected:
            self._view_model.unload(self._view_model.selected)
