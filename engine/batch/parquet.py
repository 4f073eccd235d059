"""Result files as Parquet: the same columns as the lines of JSON."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import msgspec

from engine.batch.rows import FrameRow
from engine.config import Task
from engine.errors import ConfigError

__all__ = ("ParquetRows", "check_parquet", "has_parquet")

_ROWS_PER_GROUP = 4096


def has_parquet() -> bool:
    """Tell whether pyarrow is installed."""
    return importlib.util.find_spec("pyarrow") is not None


def check_parquet() -> None:
    """Refuse to write Parquet without pyarrow.

    Raises
    ------
    ConfigError
        Saying what to install.
    """
    if not has_parquet():
        raise ConfigError(
            "Parquet files need pyarrow, which is not installed; "
            "pip install 'penstock[parquet]', or leave Parquet out"
        )


class ParquetRows:
    """Collects rows and writes them in groups; memory does not grow with their number.

    Raises
    ------
    ConfigError
        When pyarrow is not installed.
    OSError
        When the file cannot be written.
    """

    def __init__(self, path: Path, task: Task, *, has_pixels: bool) -> None:
        check_parquet()
        self._arrow: Any = importlib.import_module("pyarrow")
        self._arrow.set_cpu_count(1)
        parquet: Any = importlib.import_module("pyarrow.parquet")
        self._schema = _schema(self._arrow, task, has_pixels=has_pixels)
        self._rows: list[dict[str, Any]] = []
        self._writer: Any = parquet.ParquetWriter(str(path), self._schema, compression="zstd")

    def write(self, row: FrameRow) -> None:
        """Add a row."""
        self._rows.append(msgspec.to_builtins(row, builtin_types=(bytes,)))
        if len(self._rows) >= _ROWS_PER_GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is left and the end of the file. Safe to call twice."""
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                self._flush(writer)
            finally:
                writer.close()

    def _flush(self, writer: Any = None) -> None:  # noqa: ANN401 - pyarrow comes without types
        rows, self._rows = self._rows, []
        if rows:
            (writer or self._writer).write_table(
                self._arrow.Table.from_pylist(rows, schema=self._schema)
            )


def _schema(arrow: Any, task: Task, *, has_pixels: bool) -> Any:  # noqa: ANN401 - see above
    number, text, real = arrow.int64(), arrow.string(), arrow.float64()

    def table(**fields: Any) -> Any:  # noqa: ANN401 - see above
        return arrow.list_(arrow.struct(list(fields.items())))

    columns = {"input": text, "frame": number, "time_s": real}
    match task:
        case Task.CLASSIFY:
            columns["classes"] = table(index=number, label=text, score=real)
        case Task.DETECT | Task.FACES:
            sides = {"x": real, "y": real, "width": real, "height": real}
            points = arrow.list_(real)
            columns["boxes"] = table(
                index=number, label=text, score=real, **sides, landmarks=points
            )
        case Task.SEGMENT | Task.SPECTRAL:
            columns |= {"width": number, "height": number}
            columns["shares"] = table(index=number, label=text, share=real)
            if has_pixels:
                columns["pixels"] = arrow.binary()
        case Task.TENSOR:
            figures = {"minimum": real, "maximum": real, "mean": real}
            columns["outputs"] = table(name=text, shape=arrow.list_(number), **figures)
    return arrow.schema(list(columns.items()))
