from pathlib import Path

import pytest

from engine.config import Normalization, PostSettings, PreSettings, ResizeMode, Task
from engine.dfp import CompileSettings, load_compile_settings
from engine.errors import ConfigError

FULL = """
name = "faces"
task = "faces"
labels = ["face"]
[shapes]
input = [1, 3, 320, 320]
[pre]
resize = "letterbox"
channels = "bgr"
normalization = { mean = [1, 2, 3] }
[post]
threshold = 0.9
outputs = { scores = "prob" }
"""


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "settings.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_every_setting_is_read(tmp_path: Path) -> None:
    assert load_compile_settings(written(tmp_path, FULL)) == CompileSettings(
        name="faces",
        task=Task.FACES,
        labels=("face",),
        shapes={"input": (1, 3, 320, 320)},
        pre=PreSettings(
            resize=ResizeMode.LETTERBOX,
            channels="bgr",
            normalization=Normalization(mean=(1.0, 2.0, 3.0)),
        ),
        post=PostSettings(threshold=0.9, outputs={"scores": "prob"}),
    )


def test_an_empty_file_leaves_everything_as_it_is(tmp_path: Path) -> None:
    assert load_compile_settings(written(tmp_path, "")) == CompileSettings()


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("color = 1", "color", "no such key"),
        ("[pre]\nchanels = 'rgb'", "pre.chanels", "no such key"),
        ("[pre.normalization]\nmeans = [1]", "pre.normalization.means", "no such key"),
        ("[post]\nthreshold = 'high'", "post.threshold", "expected `float`"),
        ("[post]\nthreshold = 2", "post", "threshold is 0 to 1"),
        ("task = 'dance'", "task", "invalid enum value 'dance'"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, text: str, path: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_compile_settings(written(tmp_path, text))

    assert caught.value.details["path"] == path
    assert f"{path}: " in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"), [(b"a = ", "not valid TOML"), (b"\xff", "not UTF-8 text")]
)
def test_what_is_not_toml_is_refused(tmp_path: Path, text: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_compile_settings(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.toml cannot be read: No such file"):
        load_compile_settings(tmp_path / "no.toml")
