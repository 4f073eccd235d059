"""What clients see of the license in use, and the machine it may be bound to."""

from datetime import date
from pathlib import Path

import pytest

from engine.license import License, license_state, new_key_pair, sign_license, this_machine_id
from engine.license import machine as machine_module
from engine.license.machine import machine_id_of
from engine.protocol import LicenseState

KEY = new_key_pair()
KEYS = {KEY.key_id: KEY.public}
TERMS = License(
    license_id="L-1",
    licensee="Ann Example",
    product="penstock",
    valid_from=date(2026, 1, 1),
    valid_until=date(2026, 12, 31),
    features=("a", "b"),
    limits={"streams": 16},
    machine_id="here",
)


def test_a_valid_license_is_described_in_full() -> None:
    state = license_state(
        sign_license(TERMS, KEY),
        "ann.lic",
        today=date(2026, 6, 1),
        trusted_keys=KEYS,
        machine_id="here",
    )
    assert state == LicenseState(
        is_valid=True,
        problem="",
        path="ann.lic",
        licensee="Ann Example",
        license_id="L-1",
        product="penstock",
        valid_from="2026-01-01",
        valid_until="2026-12-31",
        features=("a", "b"),
        limits={"streams": 16},
        machine_id="here",
        this_machine_id="here",
    )


def test_an_expired_license_still_shows_whose_it_is() -> None:
    state = license_state(
        sign_license(TERMS, KEY),
        "ann.lic",
        today=date(2027, 6, 1),
        trusted_keys=KEYS,
        machine_id="here",
    )
    assert not state.is_valid
    assert state.licensee == "Ann Example"
    assert state.problem.startswith("license file ann.lic expired after 2026-12-31")


def test_of_a_license_that_is_not_genuine_nothing_is_shown_but_the_problem() -> None:
    data = sign_license(TERMS, KEY).replace(b"Ann Example", b"Bob Example")
    state = license_state(data, "bob.lic", trusted_keys=KEYS, machine_id="here")
    assert state == LicenseState(problem=state.problem, path="bob.lic", this_machine_id="here")
    assert state.problem.startswith("license file bob.lic was changed after it was signed")


def test_without_data_the_bundled_license_is_used() -> None:
    state = license_state(None, today=date(2030, 1, 1))
    assert (state.is_valid, state.path, state.features) == (True, "", ("*",))
    assert state.this_machine_id == this_machine_id()


def test_a_missing_bundled_license_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(relative: str) -> Path:
        raise FileNotFoundError(f"the bundled file {relative!r} is missing")

    monkeypatch.setattr("engine.license.bundled.resource_path", gone)
    assert license_state(None).problem == "the bundled file 'license/community.lic' is missing"


def test_the_machine_id_stays_and_hides_what_it_is_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "machine-id"
    path.write_text("0123456789abcdef0123456789abcdef\n")
    monkeypatch.setattr(machine_module, "_ID_FILES", (tmp_path / "absent", path))

    first = this_machine_id()

    assert first == this_machine_id() == machine_id_of("0123456789abcdef0123456789abcdef")
    assert len(first) == 32
    assert "0123456789abcdef" not in first


@pytest.mark.parametrize(
    ("node", "expected"), [(0x001122334455, "001122334455"), (0x010000000000, "somehost")]
)
def test_without_an_id_file_the_network_card_or_the_host_name_is_taken(
    monkeypatch: pytest.MonkeyPatch, node: int, expected: str
) -> None:
    monkeypatch.setattr(machine_module, "_ID_FILES", ())
    monkeypatch.setattr("uuid.getnode", lambda: node)
    monkeypatch.setattr("platform.node", lambda: "somehost")
    assert this_machine_id() == machine_id_of(expected)
