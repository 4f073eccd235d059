"""The programs of the project: what each is, and opening and unloading them."""

from pathlib import Path

from engine.protocol import Answer, LoadProgram, ProgramState, Snapshot, TensorInfo, UnloadProgram
from ui.bridge.protocols import EngineControl
from ui.viewmodels.base import ViewModel
from ui.viewmodels.formats import format_bytes, format_shape, task_word

__all__ = ("ProgramsViewModel",)

_LABELS_SHOWN = 12


class ProgramsViewModel(ViewModel):
    """Programs and the one whose details are shown."""

    def __init__(self, control: EngineControl) -> None:
        super().__init__(control)
        self.selected = ""

    @property
    def programs(self) -> tuple[ProgramState, ...]:
        """All programs in the project's order."""
        return self.snapshot.programs

    @property
    def program(self) -> ProgramState | None:
        """The program whose details are shown."""
        return next((p for p in self.programs if p.name == self.selected), None)

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take over the newest state; the first program is shown when the chosen one is gone."""
        names = [program.name for program in snapshot.programs]
        if self.selected not in names:
            self.selected = names[0] if names else ""
        super().set_snapshot(snapshot)

    def select(self, name: str) -> None:
        """Show a program's details."""
        self.selected = name
        self.tell()

    def open(self, paths: list[str]) -> None:
        """Load files; one that is not a DFP is refused with a sentence."""
        wrong = [path for path in paths if Path(path).suffix.lower() != ".dfp"]
        for path in paths:
            if path not in wrong:
                self.ask(LoadProgram(path), self._on_loaded)
        if wrong:
            self.message = _not_a_program(Path(wrong[0]))
            self.tell()

    def unload(self, name: str) -> None:
        """Take a program out of the project."""
        users = self.users_of(name)
        if users:
            self.message = f"{', '.join(users)} use{'s' if len(users) == 1 else ''} {name!r}; "
            self.message += "give the stream another program first."
            self.tell()
            return
        self.ask(UnloadProgram(name))

    def users_of(self, name: str) -> tuple[str, ...]:
        """Return the names of the streams that use a program."""
        return tuple(s.name for s in self.snapshot.project.streams if s.program == name)

    def subtitle(self, program: ProgramState) -> str:
        """Return the second line of a program's row."""
        return program.problem or f"{task_word(program.task)}, {format_bytes(program.size_bytes)}"

    def details(self) -> tuple[tuple[str, str], ...]:
        """Return title and text of everything known about the shown program."""
        program = self.program
        if program is None:
            return ()
        if program.problem:
            return (("File", program.path),)
        users = ", ".join(self.users_of(program.name)) or "no stream"
        rows = [
            ("Task", task_word(program.task)),
            ("Used by", users),
            *(
                _tensor_row("Input", len(program.inputs), i, t)
                for i, t in enumerate(program.inputs)
            ),
            *(
                _tensor_row("Output", len(program.outputs), i, t)
                for i, t in enumerate(program.outputs)
            ),
            ("Labels", _label_text(program)),
            ("Runs on", program.plugin),
            ("Compiler", program.compiler),
            ("Created", program.created),
            ("Size", format_bytes(program.size_bytes)),
            ("SHA-256", program.sha256),
            ("File", program.path),
        ]
        return tuple((title, text) for title, text in rows if text)

    def _on_loaded(self, answer: Answer) -> None:
        if answer.program is not None:
            self.selected = answer.program.name


def _tensor_row(title: str, count: int, index: int, tensor: TensorInfo) -> tuple[str, str]:
    number = f" {index + 1}" if count > 1 else ""
    return f"{title}{number}", f"{tensor.name}\n{format_shape(tensor)}"


def _label_text(program: ProgramState) -> str:
    count = max(program.label_count, len(program.labels))
    if not count:
        return ""
    shown = ", ".join(program.labels[:_LABELS_SHOWN])
    more = f", \u2026 ({count} in all)" if count > _LABELS_SHOWN else f" ({count})"
    return f"{shown}{more}" if shown else str(count)


def _not_a_program(path: Path) -> str:
    if path.suffix.lower() == ".onnx":
        return f"{path.name} is a model; compile it first: penstock compile {path.name}"
    return f"{path.name} is not a program; choose a file that ends in .dfp."
