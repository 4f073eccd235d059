"""Plugins: which can work here, and which may."""

from typing import cast

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QWidget

from engine.protocol import PluginState, Snapshot
from ui.panels.panel import MessageLine, Panel, RowList
from ui.shell.buttons import IconButton, ToggleSwitch
from ui.shell.layouts import EmptyState, StateBadge, column, label, row
from ui.shell.theme import Theme
from ui.shell.tokens import SPACE_L, SPACE_S, SPACE_XS
from ui.viewmodels.plugins import PluginsViewModel
from ui.viewmodels.states import plugin_sign

__all__ = ("PluginsPanel",)


class PluginsPanel(Panel):
    """Lets the user enable plugins and probe them again."""

    def __init__(
        self, theme: Theme, view_model: PluginsViewModel, *, parent: QWidget | None = None
    ) -> None:
        super().__init__(theme, parent=parent)
        self._view_model = view_model
        self._probe = IconButton(
            theme,
            "refresh-cw",
            self.tr("Try every plugin in a child process"),
            text=self.tr("Probe again"),
        )
        self._probe.setObjectName("probe")
        self._probe.clicked.connect(self._on_probe)
        self.title_actions = [self._probe]
        self._intro = label(
            self.tr(
                "A plugin runs programs on a kind of processor. The first usable one is taken."
            ),
            role="muted",
            wrap=True,
        )
        self._warning = MessageLine(theme, tone="warn")
        self._warning.setObjectName("warning")
        self._rows = RowList(self._make_row, spacing=SPACE_L)
        self._empty = EmptyState(
            theme,
            "plug",
            self.tr("No plugin is installed, so no program can run."),
            self.tr("Probe again"),
            button_icon="refresh-cw",
        )
        self._empty.asked.connect(self._on_probe)
        for widget in (self._intro, self._warning, self._rows, self._empty):
            self.body.addWidget(widget)
        self.body.addStretch(1)
        view_model.changed = self._refresh
        self._refresh()

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take over the newest state."""
        self._view_model.set_snapshot(snapshot)

    def _make_row(self, key: str) -> QWidget:
        return PluginRow(self.theme, self._view_model, key)

    def _refresh(self) -> None:
        model = self._view_model
        self._rows.sync(plugin.key for plugin in model.plugins)
        for plugin in model.plugins:
            cast("PluginRow", self._rows.row(plugin.key)).show_plugin(plugin)
        self._empty.setVisible(not model.plugins)
        self._intro.setVisible(bool(model.plugins))
        self._warning.say(model.warning)
        self._probe.setEnabled(not model.is_probing and not model.is_busy)
        self.say(model.message)

    @Slot()
    def _on_probe(self) -> None:
        self._view_model.probe()


class PluginRow(QFrame):
    """One plugin: name, switch, whether it works and why not, what it computes with and on."""

    def __init__(self, theme: Theme, view_model: PluginsViewModel, key: str) -> None:
        super().__init__()
        self._view_model = view_model
        self._key = key
        self.setObjectName(f"plugin_{key}")
        self._name = label(role="heading", wrap=True)
        self._badge = StateBadge(theme)
        self._reason = label(name="reason", role="muted", wrap=True)
        self._facts = label(role="caption", wrap=True)
        self._devices = label(name="devices", role="caption", wrap=True)
        self.toggle = ToggleSwitch(theme, self.tr("May be used"))
        self.toggle.setObjectName("enabled")
        self.toggle.setToolTip(self.tr("Counts for streams that are started afterwards"))
        self.toggle.clicked.connect(self._on_toggle)
        head = row(self._name, self.toggle, spacing=SPACE_S)
        head.setStretch(0, 1)
        parts = (head, self._badge, self._reason, self._facts, self._devices)
        self.setLayout(column(*parts, spacing=SPACE_XS))

    def show_plugin(self, plugin: PluginState) -> None:
        """Show the newest state of the plugin."""
        sign = plugin_sign(plugin)
        self._name.setText(plugin.name)
        self._badge.set_state(sign.icon, sign.word, sign.tone)
        self._reason.setText(plugin.reason)
        self._reason.setVisible(bool(plugin.reason))
        facts = self._view_model.facts(plugin)
        self._facts.setText(facts)
        self._facts.setVisible(bool(facts))
        devices = self._view_model.devices(plugin)
        self._devices.setText("\n".join(devices))
        self._devices.setVisible(bool(devices))
        self.toggle.set_on(self._view_model.is_enabled(plugin))
        self.toggle.setAccessibleName(self.tr("%s may be used") % plugin.name)

    @Slot(bool)
    def _on_toggle(self, is_on: bool) -> None:
        self._view_model.set_enabled(self._key, is_on)
