"""Handle: licenses, the one live handle, and its end. One test per published sentence."""

import gc
import weakref
from datetime import date, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest

from engine.errors import (
    LicenseEmptyError,
    LicenseError,
    LicenseExpiredError,
    LicenseFeatureMissingError,
    LicenseMachineError,
    LicenseMalformedError,
    LicenseNotYetValidError,
    LicenseProductError,
    LicenseSignatureError,
    LicenseTruncatedError,
)
from engine.handle import (
    Handle,
    HandleAlreadyCreatedError,
    HandleNoLongerValidError,
    Model,
    ModelNoLongerValidError,
    ProcessingContext,
    ProcessingContextNoLongerValidError,
    ProcessingQueueSet,
)
from engine.license import License, new_key_pair, reading, sign_license

TODAY = date(2026, 7, 1)
TERMS = License("a", "somebody", "penstock", TODAY, date(2999, 1, 1), ("*",))


def signed(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> bytes:
    """Return a license signed by a key that this process trusts."""
    key = new_key_pair()
    monkeypatch.setattr(reading, "default_keys", lambda: {key.key_id: key.public})
    return sign_license(msgspec.structs.replace(TERMS, **changes), key)


def test_a_valid_license_makes_a_handle(license_data: bytes) -> None:
    with Handle(license_data) as handle:
        assert handle.processingPluginCount() >= 2


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_license_data_are_raw_bytes(license_data: bytes, kind: Any) -> None:
    with Handle(kind(license_data)) as handle:
        assert "Penstock community" in repr(handle)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", LicenseEmptyError),
        (b"not a license", LicenseMalformedError),
        (b"\x00\xff" * 40, LicenseMalformedError),
    ],
)
def test_without_valid_license_data_it_does_not_initialize_itself(
    data: bytes, kind: type[Exception], license_data: bytes
) -> None:
    with pytest.raises(kind) as caught:
        Handle(data)
    assert isinstance(caught.value, RuntimeError)
    with Handle(license_data):
        pass  # the failed attempt does not take the place


@pytest.mark.parametrize("data", [None, "text", 5, ["a"]])
def test_license_data_that_are_no_bytes_are_refused(data: Any) -> None:
    with pytest.raises(RuntimeError, match="as bytes"):
        Handle(data)


def test_a_truncated_license_is_refused(license_data: bytes) -> None:
    with pytest.raises(LicenseTruncatedError):
        Handle(license_data[: len(license_data) // 2])


def test_a_changed_license_is_refused(license_data: bytes) -> None:
    with pytest.raises(LicenseSignatureError):
        Handle(license_data.replace(b"Penstock community", b"Penstock commune!!"))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"valid_from": TODAY - timedelta(9), "valid_until": TODAY}, None),
        ({"valid_from": date(2000, 1, 1), "valid_until": date(2000, 1, 2)}, LicenseExpiredError),
        ({"valid_from": date(2998, 1, 1)}, LicenseNotYetValidError),
        ({"product": "another"}, LicenseProductError),
        ({"machine_id": "0" * 32}, LicenseMachineError),
        ({"features": ("runner",)}, LicenseFeatureMissingError),
    ],
)
def test_each_reason_to_refuse_a_license_has_its_own_code(
    changes: dict[str, Any], kind: type[LicenseError] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = signed(monkeypatch, **changes)
    if kind is None:
        return
    with pytest.raises(kind) as caught:
        Handle(data)
    assert caught.value.code == kind.code
    assert isinstance(caught.value, RuntimeError)


def test_the_license_limits_the_threads_of_all_queue_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    with Handle(signed(monkeypatch, limits={"threads": 3})) as handle:
        handle.createProcessingThreads(2)
        queue_set = ProcessingQueueSet(handle)
        with pytest.raises(LicenseFeatureMissingError, match="3 threads"):
            queue_set.createProcessingThreads(3)
        queue_set.createProcessingThreads(2)


# -- one live handle


def test_only_one_handle_may_exist_at_a_time(handle: Handle, license_data: bytes) -> None:
    with pytest.raises(HandleAlreadyCreatedError) as caught:
        Handle(license_data)
    assert caught.value.code == "handle_already_created"
    assert handle.processingPluginCount() >= 2


def test_after_del_a_new_handle_can_be_created(license_data: bytes) -> None:
    handle = Handle(license_data)
    del handle
    with Handle(license_data):
        pass


def test_del_frees_the_place_while_models_and_contexts_live(
    license_data: bytes, programs: Any
) -> None:
    handle = Handle(license_data)
    model = Model(handle, programs.double())
    context = ProcessingContext(model)
    queue_set = ProcessingQueueSet(handle)
    context.setSourceData(np.ones((1, 4), np.float32))
    del handle
    with Handle(license_data):
        assert not model.isValid
        with pytest.raises(ModelNoLongerValidError, match="handle was deleted"):
            ProcessingContext(model)
        with pytest.raises(ProcessingContextNoLongerValidError, match="handle was deleted"):
            context.processNext()
        with pytest.raises(HandleNoLongerValidError):
            ProcessingQueueSet.createProcessingThreads(queue_set, 2)


def test_what_outlives_its_handle_can_be_destroyed(license_data: bytes, programs: Any) -> None:
    handle = Handle(license_data)
    model = Model(handle, programs.double())
    context = ProcessingContext(model)
    del handle
    gone = weakref.ref(context), weakref.ref(model)
    del context, model
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


def test_del_ends_the_processing_threads(license_data: bytes) -> None:
    handle = Handle(license_data)
    handle.createProcessingThreads(3)
    del handle  # threads that stay are found by the check after every test


def test_a_handle_in_a_cycle_is_freed_by_the_collector(license_data: bytes) -> None:
    handle = Handle(license_data)
    handle.createProcessingThreads(2)
    cycle: list[Any] = [handle]
    cycle.append(cycle)
    del handle, cycle
    gc.collect()
    with Handle(license_data):
        pass


def test_close_frees_the_place_whoever_refers_to_the_handle(license_data: bytes) -> None:
    handle = Handle(license_data)
    handle.close()
    handle.close()
    with Handle(license_data):
        pass
    assert "closed" in repr(handle)


@pytest.mark.parametrize(
    "use",
    [
        lambda h: h.createProcessingThreads(1),
        lambda h: h.processingPluginCount(),
        lambda h: h.processingPluginName(0),
        lambda h: h.setDriverBaseDirectory(None),
        ProcessingQueueSet,
        lambda h: Model(h, b""),
    ],
)
def test_a_closed_handle_cannot_be_used(license_data: bytes, use: Any) -> None:
    handle = Handle(license_data)
    handle.close()
    with pytest.raises(HandleNoLongerValidError) as caught:
        use(handle)
    assert caught.value.code == "handle_no_longer_valid"


def test_stopping_the_threads_of_a_closed_handle_is_no_error(license_data: bytes) -> None:
    handle = Handle(license_data)
    handle.close()
    handle.stopProcessingThreads()


def test_closing_the_handle_aborts_what_is_running(
    license_data: bytes, programs: Any, device: Any, in_thread: Any
) -> None:
    handle = Handle(license_data)
    context = ProcessingContext(Model(handle, programs.double((1, 4))))
    context.setSourceData(np.ones((5, 4), np.float32))
    device.hold()
    call = in_thread(context.processNext)
    device.entered.acquire(timeout=10)
    closing = in_thread(handle.close)
    device.release()
    closing.join()
    call.join()
    assert isinstance(call.error, RuntimeError)
    assert device.runs < 5
    with Handle(license_data):
        pass
