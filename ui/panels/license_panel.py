"""Keys and license: what it allows, until when, and loading another one."""

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QWidget

from engine.protocol import Snapshot
from ui.panels.panel import MessageLine, Panel, facts_grid
from ui.shell.buttons import TextButton
from ui.shell.file_chooser import FileChooser
from ui.shell.layouts import StateBadge, clear, column, label, row
from ui.shell.theme import Theme
from ui.viewmodels.license import LicenseViewModel

__all__ = ("LicensePanel",)


class LicensePanel(Panel):
    """Lets the user see the license and use another file."""

    def __init__(
        self,
        theme: Theme,
        view_model: LicenseViewModel,
        chooser: FileChooser,
        *,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, parent=parent)
        self._view_model = view_model
        self._chooser = chooser
        self._shown: object = None
        self._badge = StateBadge(theme)
        self._problem = MessageLine(theme)
        self._problem.setObjectName("license_problem")
        self._facts = QWidget()
        self._facts_column = column()
        self._facts.setLayout(self._facts_column)
        self._load = TextButton(theme, self.tr("Load license\u2026"), icon_name="folder-open")
        self._load.setObjectName("load_license")
        self._load.clicked.connect(self._on_load)
        self._bundled = TextButton(
            theme, self.tr("Use bundled"), tooltip=self.tr("Return to the community license")
        )
        self._bundled.setObjectName("use_bundled")
        self._bundled.clicked.connect(self._on_bundled)
        self.body.addLayout(row(label(self.tr("License"), role="heading"), 1, self._badge))
        self.body.addWidget(self._problem)
        self.body.addWidget(self._facts)
        self.body.addLayout(row(self._load, self._bundled, 1))
        self.body.addStretch(1)
        view_model.changed = self._refresh
        self._refresh()

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take over the newest state."""
        self._view_model.set_snapshot(snapshot)

    def _refresh(self) -> None:
        model = self._view_model
        self._badge.set_state(model.sign.icon, model.sign.word, model.sign.tone)
        self._problem.say(model.license.problem)
        self._bundled.setEnabled(not model.is_bundled and not model.is_busy)
        self._load.setEnabled(not model.is_busy)
        if self._shown != model.details:
            self._shown = model.details
            clear(self._facts_column)
            self._facts_column.addWidget(facts_grid(model.details))
        self.say(model.message)

    @Slot()
    def _on_load(self) -> None:
        files = self._chooser.open_files(
            self, self.tr("Load a license"), self.tr("Licenses (*.lic);;All files (*)"), ""
        )
        if files:
            self._view_model.load(files[0])

    @Slot()
    def _on_bundled(self) -> None:
        self._view_model.use_bundled()
