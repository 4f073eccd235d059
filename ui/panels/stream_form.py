"""The form of one stream, generated from the parameters of its driver."""

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QLineEdit, QWidget

from engine.config import ParameterValue, Policy
from ui.panels.value_editors import (
    CalmComboBox,
    CalmDoubleSpinBox,
    CalmSpinBox,
    ParameterField,
    PathEdit,
)
from ui.shell.buttons import TextButton, ToggleSwitch
from ui.shell.file_chooser import FileChooser
from ui.shell.layouts import Field, column, discard, label, row
from ui.shell.theme import Theme
from ui.shell.tokens import SPACE_M, SPACE_S
from ui.viewmodels.formats import shorten_path
from ui.viewmodels.stream_form import POLICIES, StreamDraft, form_parameters
from ui.viewmodels.streams import StreamsViewModel

__all__ = ("StreamForm",)


class StreamForm(QWidget):
    """Shows the draft of the view model and hands back what is typed.

    Attributes
    ----------
    buttons : apply, revert and remove; the panel keeps them in sight.
    """

    remove_asked = Signal()

    def __init__(self, theme: Theme, view_model: StreamsViewModel, chooser: FileChooser) -> None:
        super().__init__()
        self._theme = theme
        self._view_model = view_model
        self._chooser = chooser
        self._parameters: tuple[object, ...] | None = None
        self._source: dict[str, ParameterField] = {}
        self._is_showing = False
        self._make_fields()
        self._make_buttons()
        self.buttons = QWidget()
        self.buttons.setLayout(row(self._apply, self._revert, 1, self._remove, spacing=SPACE_S))
        self._source_column = column(spacing=SPACE_M)
        self.setLayout(
            column(
                self._title,
                self._name,
                self._driver,
                self._source_column,
                self._program,
                self._policy,
                row(self._depth, self._threshold, spacing=SPACE_M),
                spacing=SPACE_M,
            )
        )
        self._connect()

    def refresh(self) -> None:
        """Show the draft; fields that say the same already are left alone."""
        draft = self._view_model.draft
        self.setVisible(draft is not None)
        self.buttons.setVisible(draft is not None)
        if draft is None:
            return
        self._is_showing = True
        self._show_choices(draft)
        self._show_source(draft)
        self._show_values(draft)
        self._is_showing = False
        self._show_problems()
        self._show_buttons()

    def _make_fields(self) -> None:
        self._title = label(role="title", name="form_title")
        self._name_edit = QLineEdit()
        self._name = _named(Field(self.tr("Name"), self._name_edit), "stream_name")
        self._driver_box = CalmComboBox()
        self._driver = _named(Field(self.tr("Source"), self._driver_box), "stream_driver")
        self._program_box = CalmComboBox()
        self._program = _named(Field(self.tr("Program"), self._program_box), "stream_program")
        self._policy_box = CalmComboBox()
        for policy, title, help_text in POLICIES:
            self._policy_box.addItem(title, policy.value)
            tip = Qt.ItemDataRole.ToolTipRole
            self._policy_box.setItemData(self._policy_box.count() - 1, help_text, tip)
        self._policy = _named(
            Field(
                self.tr("When the program is slower than the source"),
                self._policy_box,
                help_text=self.tr("What happens to frames that cannot be processed in time"),
            ),
            "stream_policy",
        )
        self._depth_box = CalmSpinBox()
        self._depth_box.setRange(0, 999)
        self._depth_box.setSuffix(self.tr(" frames"))
        self._depth = _named(
            Field(
                self.tr("Queue depth"),
                self._depth_box,
                help_text=self.tr("Frames that may be under way at once: more rate, more age"),
            ),
            "stream_queue_depth",
        )
        self._own_threshold = ToggleSwitch(self._theme, self.tr("Own threshold"))
        self._own_threshold.setObjectName("own_threshold")
        self._own_threshold.setToolTip(self.tr("Off: the program's own threshold counts"))
        self._threshold_box = CalmDoubleSpinBox()
        self._threshold_box.setRange(-99, 99)
        self._threshold_box.setSingleStep(0.05)
        self._threshold_box.setDecimals(2)
        self._threshold = _named(
            Field(
                self.tr("Threshold"),
                self._threshold_box,
                help_text=self.tr("Lowest score that counts, 0 to 1"),
                beside=self._own_threshold,
            ),
            "stream_threshold",
        )

    def _make_buttons(self) -> None:
        self._apply = TextButton(self._theme, self.tr("Apply"), role="primary")
        self._apply.setObjectName("apply")
        self._revert = TextButton(self._theme, self.tr("Revert"))
        self._revert.setObjectName("revert")
        self._remove = TextButton(
            self._theme, self.tr("Remove"), icon_name="trash-2", tooltip=self.tr("Can be undone")
        )
        self._remove.setObjectName("remove")

    def _connect(self) -> None:
        self._name_edit.textEdited.connect(self._on_edited)
        for box in (self._driver_box, self._program_box, self._policy_box):
            box.currentIndexChanged.connect(self._on_edited)
        self._depth_box.valueChanged.connect(self._on_edited)
        self._threshold_box.valueChanged.connect(self._on_edited)
        self._own_threshold.clicked.connect(self._on_own_threshold)
        self._apply.clicked.connect(self._on_apply)
        self._revert.clicked.connect(self._on_revert)
        self._remove.clicked.connect(self.remove_asked)

    def _show_choices(self, draft: StreamDraft) -> None:
        snapshot = self._view_model.snapshot
        drivers = [(d.name, d.label, d.description) for d in snapshot.drivers if not d.problem]
        programs = [(name, name, "") for name in self._view_model.program_names]
        _fill(self._driver_box, drivers, draft.driver)
        _fill(self._program_box, programs, draft.program)
        self._policy_box.setCurrentIndex(self._policy_box.findData(draft.policy.value))

    def _show_source(self, draft: StreamDraft) -> None:
        parameters = form_parameters(self._view_model.driver)
        if parameters != self._parameters:
            self._parameters = parameters
            self._make_source(draft)
        folder = self._folder()
        for name, field in self._source.items():
            field.set_value(draft.values.get(name, field.parameter.default))
            if isinstance(field.editor, PathEdit):
                field.editor.folder = folder

    def _make_source(self, draft: StreamDraft) -> None:
        for field in self._source.values():
            self._source_column.removeWidget(field)
            discard(field)
        self._source = {}
        for parameter in form_parameters(self._view_model.driver):
            field = ParameterField(self._theme, self._chooser, parameter)
            field.set_value(draft.values.get(parameter.name, parameter.default))
            field.edited.connect(self._on_edited)
            if isinstance(field.editor, PathEdit):
                field.editor.shorten = self._shorten
            self._source_column.addWidget(field)
            self._source[parameter.name] = field
        self._reorder_tabs()

    def _reorder_tabs(self) -> None:
        before: QWidget = self._driver_box
        for field in self._source.values():
            target = field.editor.line if isinstance(field.editor, PathEdit) else field.editor
            QWidget.setTabOrder(before, target)
            before = target
            if isinstance(field.editor, PathEdit):
                QWidget.setTabOrder(before, field.editor.browse)
                before = field.editor.browse
        QWidget.setTabOrder(before, self._program_box)

    def _show_values(self, draft: StreamDraft) -> None:
        if self._name_edit.text() != draft.name:
            self._name_edit.setText(draft.name)
        if self._depth_box.value() != draft.queue_depth:
            self._depth_box.setValue(draft.queue_depth)
        has_own = draft.threshold is not None
        self._own_threshold.set_on(has_own)
        self._threshold_box.setEnabled(has_own)
        self._threshold.set_title(
            self.tr("Threshold, own") if has_own else self.tr("Threshold, program's")
        )
        own = draft.threshold
        shown = self._view_model.program_threshold if own is None else own
        if self._threshold_box.value() != shown:
            self._threshold_box.setValue(shown)

    def _show_problems(self) -> None:
        problems = self._view_model.problems
        for name, field in (
            ("name", self._name),
            ("driver", self._driver),
            ("program", self._program),
            ("queue_depth", self._depth),
            ("threshold", self._threshold),
        ):
            field.set_problem(problems.get(name, ""))
        for name, source in self._source.items():
            source.set_problem(problems.get(f"source.{name}", ""))

    def _show_buttons(self) -> None:
        model = self._view_model
        is_new, is_changed = model.is_new, model.is_changed
        self._title.setText(self.tr("New stream"))
        self._title.setVisible(is_new)
        text = self.tr("Add stream") if is_new else self.tr("Apply")
        if model.will_restart:
            text = self.tr("Apply, restarts the stream")
        self._apply.setText(text)
        self._apply.setEnabled((is_new or is_changed) and not model.is_busy)
        self._revert.setText(self.tr("Cancel") if is_new else self.tr("Revert"))
        self._revert.setVisible(is_new or is_changed)
        self._remove.setVisible(not is_new and not is_changed)

    def _folder(self) -> str:
        path = self._view_model.snapshot.engine.project_path
        return str(Path(path).parent) if path else ""

    def _shorten(self, path: str) -> str:
        return shorten_path(path, self._folder())

    @Slot()
    def _on_edited(self) -> None:
        draft = self._view_model.draft
        if self._is_showing or draft is None:
            return
        driver = self._driver_box.currentData()
        changed = replace(
            draft.with_driver(driver if driver is not None else ""),
            name=self._name_edit.text(),
            program=self._program_box.currentData() or "",
            policy=Policy(self._policy_box.currentData()),
            queue_depth=self._depth_box.value(),
            threshold=self._threshold_box.value() if self._own_threshold.isChecked() else None,
        )
        if changed.driver == draft.driver:
            changed = replace(changed, values=self._typed_values(draft))
        self._view_model.edit(changed)

    def _typed_values(self, draft: StreamDraft) -> dict[str, ParameterValue]:
        values = dict(draft.values)
        for name, field in self._source.items():
            value = field.value()
            if value != values.get(name, field.parameter.default):
                values[name] = value
        return values

    @Slot(bool)
    def _on_own_threshold(self, is_own: bool) -> None:
        draft = self._view_model.draft
        if draft is not None:
            value = round(self._view_model.program_threshold, 4) if is_own else None
            self._view_model.edit(replace(draft, threshold=value))

    @Slot()
    def _on_apply(self) -> None:
        self._view_model.apply()

    @Slot()
    def _on_revert(self) -> None:
        self._view_model.revert()


def _named(field: Field, name: str) -> Field:
    field.set_name(name)
    return field


def _fill(box: CalmComboBox, items: list[tuple[str, str, str]], chosen: str) -> None:
    """Offer items (data, title, tip); a chosen one that is not among them is shown as missing."""
    if chosen and all(data != chosen for data, _, _ in items):
        items = [*items, (chosen, f"{chosen} (missing)", "")]
    if [box.itemData(i) for i in range(box.count())] != [data for data, _, _ in items]:
        box.clear()
        for data, title, tip in items:
            box.addItem(title, data)
            box.setItemData(box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
    box.setCurrentIndex(box.findData(chosen) if chosen else -1)
