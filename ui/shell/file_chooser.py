"""Asks for files and folders; panels get it handed in, so that tests can answer for the user."""

from enum import StrEnum
from typing import Protocol

from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

__all__ = ("DialogFileChooser", "FileChooser", "UnsavedChoice")


class UnsavedChoice(StrEnum):
    """What becomes of changes that no file has."""

    SAVE = "save"
    DISCARD = "discard"
    CANCEL = "cancel"


class FileChooser(Protocol):
    """Asks the user for paths; empty answers mean that the user changed their mind."""

    def open_files(self, parent: QWidget, title: str, kinds: str, folder: str) -> list[str]:
        """Return existing files; `kinds` is a filter such as "Programs (*.dfp)"."""

    def open_folder(self, parent: QWidget, title: str, folder: str) -> str:
        """Return an existing folder."""

    def save_file(self, parent: QWidget, title: str, kinds: str, path: str) -> str:
        """Return where to write a file."""

    def ask_unsaved(self, parent: QWidget, project: str) -> UnsavedChoice:
        """Ask what becomes of changes that no file has."""


class DialogFileChooser:
    """Asks by the desktop's own dialogs."""

    def open_files(self, parent: QWidget, title: str, kinds: str, folder: str) -> list[str]:
        """Return existing files."""
        return QFileDialog.getOpenFileNames(parent, title, folder, kinds)[0]

    def open_folder(self, parent: QWidget, title: str, folder: str) -> str:
        """Return an existing folder."""
        return QFileDialog.getExistingDirectory(parent, title, folder)

    def save_file(self, parent: QWidget, title: str, kinds: str, path: str) -> str:
        """Return where to write a file."""
        return QFileDialog.getSaveFileName(parent, title, path, kinds)[0]

    def ask_unsaved(self, parent: QWidget, project: str) -> UnsavedChoice:
        """Ask what becomes of changes that no file has."""
        button = QMessageBox.StandardButton
        answer = QMessageBox.question(
            parent,
            "Penstock",
            parent.tr("%s has changes that were not saved. Save them?") % project,
            button.Save | button.Discard | button.Cancel,
            button.Save,
        )
        choices = {button.Save: UnsavedChoice.SAVE, button.Discard: UnsavedChoice.DISCARD}
        return choices.get(answer, UnsavedChoice.CANCEL)
