"""A license is believed only when it is genuine and meant for here and today."""

import logging
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import (
    LicenseEmptyError,
    LicenseError,
    LicenseExpiredError,
    LicenseMachineError,
    LicenseMalformedError,
    LicenseNotYetValidError,
    LicenseProductError,
    LicenseSignatureError,
    LicenseSignerError,
    LicenseTruncatedError,
    LicenseUnreadableError,
)
from engine.license import (
    License,
    bundled_license,
    load_license_file,
    new_key_pair,
    read_license,
    sign_license,
    trusted_keys,
)

KEY = new_key_pair()
KEYS: Mapping[str, bytes] = {KEY.key_id: KEY.public}
TODAY = date(2026, 6, 1)
HERE = "ab" * 16
TERMS = License(
    license_id="L-1",
    licensee="Ann Example",
    product="penstock",
    valid_from=date(2026, 1, 1),
    valid_until=date(2026, 12, 31),
    features=("*",),
    limits={"streams": 16},
)


def signed(**changes: object) -> bytes:
    return sign_license(msgspec.structs.replace(TERMS, **changes), KEY)


def read(data: bytes, today: date = TODAY) -> License:
    return read_license(data, today=today, trusted_keys=KEYS, machine_id=HERE)


def test_a_signed_license_reads_back_as_it_was_issued() -> None:
    assert read(signed()) == TERMS
    assert read(signed(licensee="Čapek & Søn “β”", machine_id=HERE)).licensee == "Čapek & Søn “β”"


def test_the_bundled_license_is_valid_for_twenty_years_and_allows_everything() -> None:
    terms = read_license(bundled_license(), today=date(2046, 12, 31))
    assert terms.features == ("*",)
    assert terms.machine_id == ""
    assert terms.limits["streams"] >= 256


@pytest.mark.parametrize("day", [TERMS.valid_from, TERMS.valid_until])
def test_the_first_and_the_last_day_are_included(day: date) -> None:
    assert read(signed(), today=day) == TERMS


def test_today_is_taken_from_the_clock_when_nobody_says() -> None:
    with pytest.raises(LicenseExpiredError):
        read_license(
            signed(valid_from=date(1999, 1, 1), valid_until=date(2000, 1, 1)), trusted_keys=KEYS
        )


# -- each failure has its own class and sentence


@pytest.mark.parametrize("data", [b"", b" \r\n\t"])
def test_an_empty_license(data: bytes) -> None:
    with pytest.raises(LicenseEmptyError, match=r"^the license is empty; "):
        read(data)


@pytest.mark.parametrize(
    "data",
    [b"hello", b"{}", b"[1]", b"null", b"\xff\xfe\x00", b"PK\x03\x04", b'{"a": 1}', b"{" * 500],
)
def test_something_that_is_no_license(data: bytes) -> None:
    with pytest.raises(
        LicenseMalformedError, match="is not a Penstock license; choose a"
    ) as caught:
        read(data)
    assert type(caught.value) is LicenseMalformedError


def test_a_license_cut_off_anywhere() -> None:
    data = signed().rstrip()
    for end in range(1, len(data)):
        with pytest.raises(LicenseTruncatedError, match="is cut off, its end is missing"):
            read(data[:end])


def test_one_bit_flipped_at_every_byte_position_is_refused() -> None:
    data = signed()
    for position in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[position] ^= 1 << bit
            with pytest.raises(LicenseError):
                read(bytes(changed))


def test_one_byte_of_the_bundled_license_changed_to_any_other_is_refused() -> None:
    data = bundled_license().rstrip()
    keys = trusted_keys(Path("nowhere"))
    for position in range(0, len(data), 7):
        for value in set(range(0, 256, 5)) | set(b' "\n\t\\,:{}0aA=') - {data[position]}:
            if value == data[position]:
                continue
            changed = bytearray(data)
            changed[position] = value
            with pytest.raises(LicenseError):
                read_license(bytes(changed), trusted_keys=keys)


def test_a_changed_payload_says_that_it_was_changed() -> None:
    data = signed().replace(b"Ann Example", b"Bob Example")
    with pytest.raises(LicenseSignatureError, match="was changed after it was signed") as caught:
        read(data)
    assert type(caught.value) is LicenseSignatureError


def test_a_damaged_frame_around_the_payload_says_damaged() -> None:
    with pytest.raises(LicenseMalformedError, match="is damaged; use the file as you received it"):
        read(signed().replace(b'"signature"', b'"sagnature"'))


def test_a_second_payload_cannot_be_smuggled_in() -> None:
    forged = signed().replace(b'{\n  "format"', b'{\n  "payload": "{}",\n  "format"', 1)
    with pytest.raises(LicenseSignatureError):
        read(forged)


def test_an_unknown_signer_is_named_with_what_to_do() -> None:
    stranger = new_key_pair()
    with pytest.raises(LicenseSignerError, match=stranger.key_id) as caught:
        read(sign_license(TERMS, stranger))
    assert "trusted_keys" in caught.value.message


def test_a_signature_of_somebody_else_under_a_trusted_name_is_refused() -> None:
    stranger = new_key_pair()
    forged = sign_license(TERMS, stranger).replace(stranger.key_id.encode(), KEY.key_id.encode())
    with pytest.raises(LicenseSignatureError, match="was changed after it was signed"):
        read(forged)


def test_an_expired_license_says_since_when() -> None:
    with pytest.raises(
        LicenseExpiredError, match=r"expired after 2026-12-31, today is 2027-01-01; ask for a new"
    ):
        read(signed(), today=date(2027, 1, 1))


def test_a_license_that_is_not_yet_valid_names_its_first_day_and_the_clock() -> None:
    with pytest.raises(LicenseNotYetValidError, match=r"valid from 2026-01-01 on .* clock"):
        read(signed(), today=date(2025, 12, 31))


def test_a_license_for_another_product() -> None:
    with pytest.raises(LicenseProductError, match="is for 'turbine', not for 'penstock'"):
        read(signed(product="turbine"))


def test_a_license_for_another_machine() -> None:
    with pytest.raises(LicenseMachineError, match=f"bound to the machine {'cd' * 16}, this one is"):
        read(signed(machine_id="cd" * 16))


def test_a_license_for_this_machine_is_accepted() -> None:
    assert read(signed(machine_id=HERE)).machine_id == HERE


def test_a_newer_file_version_is_told_apart_from_damage() -> None:
    newer = signed().replace(b'"version": 1', b'"version": 2')
    with pytest.raises(LicenseMalformedError, match=r"file version 2, .* reads 1; update Penstock"):
        read(newer)


def test_a_genuine_license_with_a_field_unknown_here_is_not_half_understood() -> None:
    class Newer(License, frozen=True):
        seats: int = 3

    newer = Newer(**{name: getattr(TERMS, name) for name in TERMS.__struct_fields__})
    with pytest.raises(LicenseMalformedError, match="genuine but was made for another version"):
        read(sign_license(newer, KEY))


def test_something_huge_is_no_license() -> None:
    with pytest.raises(LicenseMalformedError, match="larger than 64 KiB"):
        read(signed() + b" " * 70_000)


@pytest.mark.parametrize(
    "mangled",
    [
        signed().replace(b"\n", b"\r\n"),
        signed().rstrip(),
        b"\r\n" + signed() + b"\n\n",
    ],
    ids=["windows line ends", "no last line end", "blank lines around"],
)
def test_what_mail_programs_do_to_line_ends_is_forgiven(mangled: bytes) -> None:
    assert read(mangled) == TERMS


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_bytes_at_all_cause_anything_but_a_license_error(data: bytes) -> None:
    with pytest.raises(LicenseError):
        read(data)


@given(st.integers(0, 10_000), st.binary(max_size=20), st.integers(0, 20))
def test_no_edit_of_a_license_is_believed(where: int, new: bytes, removed: int) -> None:
    data = signed().rstrip()
    where %= len(data)
    edited = data[:where] + new + data[where + removed :]
    try:
        assert read(edited) == TERMS
    except LicenseError:
        return
    assert edited.replace(b"\r\n", b"\n").strip() == data


# -- files


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LicenseUnreadableError, match=r"absent\.lic cannot be read: No such file"):
        load_license_file(tmp_path / "absent.lic")


def test_a_folder_is_no_license_file(tmp_path: Path) -> None:
    with pytest.raises(LicenseUnreadableError, match="cannot be read: Is a directory"):
        load_license_file(tmp_path)


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "huge.lic"
    with path.open("wb") as file:
        file.truncate(1 << 32)
    with pytest.raises(LicenseMalformedError):
        read(load_license_file(path))


# -- keys of the site


@pytest.fixture
def site_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "penstock" / "trusted_keys"
    folder.mkdir(parents=True)
    return folder


def test_a_key_in_the_sites_folder_is_trusted(site_folder: Path) -> None:
    with pytest.raises(LicenseSignerError, match=str(site_folder)):
        read_license(signed(), today=TODAY)
    (site_folder / "ann.pub").write_bytes(KEY.public_pem())
    assert read_license(signed(), today=TODAY) == TERMS


@pytest.mark.expected_log
def test_a_broken_key_file_hides_no_other_key(
    site_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (site_folder / "a.pub").write_text("not a key")
    (site_folder / "b.pub").mkdir()
    (site_folder / "c.pub").write_bytes(KEY.public_pem())
    with caplog.at_level(logging.WARNING):
        assert KEY.key_id in trusted_keys()
    assert [record.args and record.args[0] for record in caplog.records] == ["a.pub", "b.pub"]


def test_a_private_key_is_not_in_what_is_given_away() -> None:
    secret = KEY.private.private_bytes_raw()
    assert secret not in KEY.public_pem()
    assert secret.hex() not in repr(KEY)
