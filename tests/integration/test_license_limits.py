"""Limits of a license hold in the engine service, where streams are started."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.client import EngineClient
from engine.config import StreamSettings, load_project, save_project
from engine.errors import LicenseDeviceError, LicenseFeatureMissingError
from engine.license import License, new_key_pair, sign_license
from engine.protocol import LoadProject, StartStream, StopStream, StreamPhase
from tests.support.tiny_project import make_project

pytestmark = pytest.mark.expected_log


@pytest.fixture
def licensed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., EngineClient]]:
    """Run an engine with three streams of two drivers under a license of its own."""
    key = new_key_pair()
    trusted = tmp_path / "config" / "penstock" / "trusted_keys"
    trusted.mkdir(parents=True)
    (trusted / "site.pub").write_bytes(key.public_pem())
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    clients: list[EngineClient] = []

    def launch(**terms: Any) -> EngineClient:
        days = (date(2000, 1, 1), date(2999, 1, 1))
        data = sign_license(License("a", "Ann", "penstock", *days, ("*",), **terms), key)
        (tmp_path / "own.lic").write_bytes(data)
        path = make_project(tmp_path)
        project = load_project(path)
        cube = project.streams[0]
        streams = (
            cube,
            msgspec.structs.replace(cube, name="again"),
            StreamSettings("other", cube.program, "pattern"),
        )
        engine = msgspec.structs.replace(project.engine, license="own.lic")
        save_project(msgspec.structs.replace(project, streams=streams, engine=engine), path)
        client = EngineClient.launch(name="test")
        clients.append(client)
        client.call(LoadProject(str(path)))
        return client

    yield launch
    for client in clients:
        client.close()


def phase(client: EngineClient, name: str) -> StreamPhase:
    return next(one.phase for one in client.snapshot.streams if one.name == name)


def test_a_further_driver_is_refused_and_a_further_stream_of_the_same_is_not(
    licensed: Any,
) -> None:
    client = licensed(limits={"drivers": 1})
    client.call(StartStream("one"))
    client.call(StartStream("again"))

    with pytest.raises(LicenseFeatureMissingError, match="Ann allows 1 drivers, not 2"):
        client.call(StartStream("other"))
    assert phase(client, "other") is StreamPhase.FAILED


def test_streams_that_were_stopped_do_not_count(licensed: Any) -> None:
    client = licensed(limits={"streams": 1})
    client.call(StartStream("one"))
    with pytest.raises(LicenseFeatureMissingError, match="Ann allows 1 streams, not 2"):
        client.call(StartStream("again"))
    client.call(StopStream("one"))

    client.call(StartStream("again"))


def test_a_limit_of_none_is_a_limit(licensed: Any) -> None:
    with pytest.raises(LicenseFeatureMissingError, match="allows 0 streams"):
        licensed(limits={"streams": 0}).call(StartStream("one"))


def test_a_license_bound_to_a_device_starts_no_stream_of_another(licensed: Any) -> None:
    client = licensed(devices=("cube-line",))
    client.call(StartStream("one"))

    with pytest.raises(LicenseDeviceError, match="bound to the device 'cube-line', and 'pattern'"):
        client.call(StartStream("other"))
    assert client.snapshot.license.devices == ("cube-line",)
