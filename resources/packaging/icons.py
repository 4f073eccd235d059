"""Renders the application's icon: ``python icons.py FOLDER`` writes PNG, ICO and ICNS files."""

import sys
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

from resources import resource_path

SIZES = (16, 22, 24, 32, 48, 64, 96, 128, 256, 512)
_LARGEST_ICO, _LARGEST_ICNS = 256, 512


def main(folder: Path) -> None:
    """Write ``penstock-<size>.png``, ``penstock.svg``, ``penstock.ico`` and ``penstock.icns``."""
    application = QGuiApplication(sys.argv[:1])
    folder.mkdir(parents=True, exist_ok=True)
    drawing = resource_path("icons/penstock.svg")
    renderer = QSvgRenderer(str(drawing))
    for size in SIZES:
        save(picture(renderer, size), folder / f"penstock-{size}.png", "PNG")
    (folder / "penstock.svg").write_bytes(drawing.read_bytes())
    save(picture(renderer, _LARGEST_ICO), folder / "penstock.ico", "ICO")
    save(picture(renderer, _LARGEST_ICNS), folder / "penstock.icns", "ICNS")
    application.quit()


def picture(renderer: QSvgRenderer, size: int) -> QImage:
    """Draw the icon on nothing."""
    image = QImage(size, size, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    renderer.render(painter)
    painter.end()
    return image


def save(image: QImage, path: Path, kind: str) -> None:
    """Write an image; a format that this Qt cannot write is an error."""
    if not image.save(str(path), kind):
        sys.exit(f"{path} cannot be written")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
