"""`penstock license`: keys and licenses are made, shown and verified on the command line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.commands.license import license_app
from engine.errors import EngineError, InvalidArgumentError, LicenseSignerError, OutputError
from engine.license import load_license_file, read_license, this_machine_id


@pytest.fixture(autouse=True)
def config_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def run(*args: object) -> Result:
    result = CliRunner().invoke(license_app, [str(arg) for arg in args])
    if isinstance(result.exception, EngineError):
        raise result.exception
    return result


def issued(tmp_path: Path, *options: object) -> Path:
    run("keygen", tmp_path / "site")
    out = tmp_path / "ann.lic"
    run("issue", out, "--key", tmp_path / "site.key", "--licensee", "Ann Example", *options)
    return out


def trust(tmp_path: Path, config_home: Path) -> None:
    folder = config_home / "penstock" / "trusted_keys"
    folder.mkdir(parents=True)
    (folder / "site.pub").write_bytes((tmp_path / "site.pub").read_bytes())


def test_the_bundled_license_is_shown_with_this_machines_id() -> None:
    result = run("show")
    assert result.exit_code == 0
    assert "Penstock community" in result.stdout
    assert this_machine_id() in result.stdout


def test_a_license_of_a_sites_own_key_is_valid_where_the_key_is_trusted(
    tmp_path: Path, config_home: Path
) -> None:
    out = issued(tmp_path, "--feature", "a", "--feature", "b", "--limit", "streams=4")
    with pytest.raises(LicenseSignerError):
        run("verify", out)

    trust(tmp_path, config_home)

    assert "issued to Ann Example" in run("verify", out).stdout
    shown = run("show", out)
    assert shown.exit_code == 0
    assert "a, b" in shown.stdout
    assert "streams 4" in shown.stdout


def test_showing_a_license_that_is_not_valid_ends_with_3_and_the_reason(tmp_path: Path) -> None:
    out = issued(tmp_path)
    out.write_bytes(out.read_bytes().replace(b"Ann", b"Bob"))
    result = run("show", out)
    assert result.exit_code == 3
    assert "was changed" in result.stdout or "not trusted" in result.stdout


def test_a_private_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    run("keygen", tmp_path / "site")
    assert (tmp_path / "site.key").stat().st_mode & 0o777 == 0o600


def test_keys_and_licenses_are_never_overwritten(tmp_path: Path) -> None:
    out = issued(tmp_path)
    before = (tmp_path / "site.key").read_bytes(), out.read_bytes()
    with pytest.raises(OutputError, match=r"site\.key cannot be written: File exists"):
        run("keygen", tmp_path / "site")
    with pytest.raises(OutputError, match=r"ann\.lic cannot be written: File exists"):
        run("issue", out, "--key", tmp_path / "site.key", "--licensee", "Bob")
    assert ((tmp_path / "site.key").read_bytes(), out.read_bytes()) == before


def test_a_license_for_another_machine_can_be_issued_here(tmp_path: Path) -> None:
    assert issued(tmp_path, "--machine", "cd" * 16).exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--limit", "streams"), "a limit looks like streams=16, not 'streams'"),
        (("--limit", "=3"), "a limit looks like"),
        (("--days", "0"), "1 to 36525 days, not 0"),
        (("--days", "99999999999"), "1 to 36525 days"),
    ],
)
def test_options_that_make_no_sense_are_refused_and_nothing_is_written(
    tmp_path: Path, options: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=reason):
        issued(tmp_path, *options)
    assert not (tmp_path / "ann.lic").exists()


@pytest.mark.parametrize("content", [None, b"", b"nonsense"])
def test_a_private_key_that_cannot_be_used_is_a_sentence(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "bad.key").write_bytes(content)
    with pytest.raises(InvalidArgumentError, match="private key"):
        run("issue", tmp_path / "a.lic", "--key", tmp_path / "bad.key", "--licensee", "Ann")


def test_a_public_key_is_no_private_key(tmp_path: Path) -> None:
    run("keygen", tmp_path / "site")
    with pytest.raises(InvalidArgumentError, match="not a private key"):
        run("issue", tmp_path / "a.lic", "--key", tmp_path / "site.pub", "--licensee", "Ann")


def test_a_license_is_bound_to_devices_and_shows_them(tmp_path: Path, config_home: Path) -> None:
    out = issued(tmp_path, "--device", "SN-1", "--device", "SN-2", "--device", "SN-1")
    trust(tmp_path, config_home)

    assert read_license(load_license_file(out)).devices == ("SN-1", "SN-2")
    assert "SN-1, SN-2" in run("show", out).stdout


def test_a_device_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="by its id or serial number"):
        issued(tmp_path, "--device", "")
