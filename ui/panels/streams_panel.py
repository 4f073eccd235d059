"""Streams: list, start and stop, add, set, remove."""

from typing import cast

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QWidget

from engine.protocol import Snapshot, Telemetry
from ui.panels.panel import Panel, RowList
from ui.panels.stream_form import StreamForm
from ui.panels.stream_row import StreamRowWidget
from ui.shell.buttons import IconButton, TextButton
from ui.shell.file_chooser import FileChooser
from ui.shell.layouts import EmptyState, hairline, label, row, wrapped
from ui.shell.theme import Theme
from ui.shell.tokens import SPACE_S
from ui.viewmodels.streams import StreamsViewModel

__all__ = ("StreamsPanel",)


class StreamsPanel(Panel):
    """Lets the user see, switch, change, add and remove streams."""

    selected = Signal(str)

    def __init__(
        self,
        theme: Theme,
        view_model: StreamsViewModel,
        chooser: FileChooser,
        *,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, parent=parent)
        self._view_model = view_model
        self._add = IconButton(theme, "plus", self.tr("Add a stream"))
        self._add.setObjectName("add_stream")
        self._add.clicked.connect(self._on_add)
        self.title_actions = [self._add]
        self._rows = RowList(self._make_row)
        self._empty = EmptyState(
            theme,
            "video",
            self.tr(
                "No stream yet. A stream is a source, such as a video or a camera, and the "
                "program that looks at it."
            ),
            self.tr("Add a stream"),
        )
        self._empty.asked.connect(self._on_add)
        self._line = hairline()
        self._form = StreamForm(theme, view_model, chooser)
        self._form.remove_asked.connect(self._on_remove)
        self.body.addWidget(self._empty)
        self.body.addWidget(self._rows)
        self.body.addWidget(self._make_undo(theme))
        self.body.addWidget(self._line)
        self.body.addWidget(self._form)
        self.set_footer(self._form.buttons)
        self.body.addStretch(1)
        view_model.changed = self._refresh
        self._refresh()

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take over the newest state."""
        self._view_model.set_snapshot(snapshot)

    def set_telemetry(self, telemetry: Telemetry) -> None:
        """Show the newest rates."""
        self._view_model.set_telemetry(telemetry)
        self._show_rows()

    def select(self, name: str) -> None:
        """Show the form of a stream, for example the one chosen on the wall."""
        self._view_model.select(name)

    def _make_undo(self, theme: Theme) -> QWidget:
        self._undo_text = label(name="removed", wrap=True)
        self._undo = TextButton(theme, self.tr("Undo"), icon_name="rotate-ccw")
        self._undo.setObjectName("undo_remove")
        self._undo.clicked.connect(self._on_undo)
        self._dismiss = IconButton(theme, "x", self.tr("Do not offer to undo"))
        self._dismiss.clicked.connect(self._on_dismiss)
        line = row(self._undo_text, self._undo, self._dismiss, margin=SPACE_S)
        line.setStretch(0, 1)
        self._undo_bar = wrapped(line, role="card")
        return self._undo_bar

    def _make_row(self, name: str) -> QWidget:
        made = StreamRowWidget(self.theme, name)
        made.chosen.connect(self._on_chosen)
        made.start_stop_asked.connect(self._on_start_stop)
        made.enabled_asked.connect(self._on_enabled)
        return made

    def _refresh(self) -> None:
        model = self._view_model
        self._rows.sync(row.name for row in model.rows)
        self._show_rows()
        has_rows = bool(model.rows)
        self._rows.setVisible(has_rows)
        self._empty.setVisible(not has_rows and model.draft is None)
        removed = model.removed
        self._undo_bar.setVisible(removed is not None)
        if removed is not None:
            self._undo_text.setText(self.tr("%s was removed.") % removed.name)
        self._line.setVisible(has_rows and model.draft is not None)
        self._form.refresh()
        self.say(model.message)

    def _show_rows(self) -> None:
        for shown in self._view_model.rows:
            widget = cast("StreamRowWidget", self._rows.row(shown.name))
            widget.show_row(shown, is_selected=shown.name == self._view_model.selected)

    @Slot()
    def _on_add(self) -> None:
        self._view_model.begin_new()

    @Slot(str)
    def _on_chosen(self, name: str) -> None:
        self._view_model.select("" if name == self._view_model.selected else name)
        self.selected.emit(name)

    @Slot(str)
    def _on_start_stop(self, name: str) -> None:
        self._view_model.start_or_stop(name)

    @Slot(str, bool)
    def _on_enabled(self, name: str, is_enabled: bool) -> None:
        self._view_model.set_enabled(name, is_enabled)

    @Slot()
    def _on_remove(self) -> None:
        self._view_model.remove(self._view_model.selected)

    @Slot()
    def _on_undo(self) -> None:
        self._view_model.undo_remove()

    @Slot()
    def _on_dismiss(self) -> None:
        self._view_model.forget_removed()
