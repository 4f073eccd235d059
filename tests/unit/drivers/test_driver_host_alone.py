import logging
from pathlib import Path

import numpy as np
import pytest

from engine.drivers.base import BaseDriver, Frame
from engine.drivers.host import main
from engine.drivers.stderr_cap import trim_stderr
from engine.protocol import FrameFormat, FrameKind


@pytest.mark.parametrize("argv", [[], ["3"], ["a", "b"], ["987654", "1"], ["1", "2", "3"]])
def test_a_host_that_is_started_by_hand_explains_itself(
    argv: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    assert "is started by the engine" in capfd.readouterr().err
    assert logging.getLogger().level == logging.WARNING


def test_skipping_reads_into_the_void_by_default() -> None:
    class Counting(BaseDriver):
        count = 0

        def read(self, out: Frame) -> None:
            self.count += 1
            out[...] = self.count

    driver = Counting()
    with pytest.raises(NotImplementedError):
        driver.skip()
    driver.remember_format(FrameFormat(FrameKind.IMAGE, (2, 2, 3), "uint8"))

    driver.skip()
    driver.skip()

    out = np.zeros((2, 2, 3), np.uint8)
    driver.read(out)
    assert (out == 3).all()


def test_a_standard_error_file_is_emptied_when_it_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "err").open("wb+") as file:
        monkeypatch.setattr("engine.drivers.stderr_cap._STDERR", file.fileno())
        file.write(b"x" * 100)
        file.flush()

        assert not trim_stderr(limit_bytes=100)
        assert trim_stderr(limit_bytes=99)
        assert (tmp_path / "err").stat().st_size == 0
