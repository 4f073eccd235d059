"""Whatever somebody writes into the engine's socket, the engine and its clients go on."""

import msgspec
import pytest
import zmq

from engine.client import EngineClient, find_endpoints
from engine.protocol import GetSnapshot


@pytest.mark.expected_log
def test_messages_that_make_no_sense_do_not_end_the_engine() -> None:
    fields = (msgspec.msgpack.encode(text) for text in ("request_id", 1, "x"))
    garbage = [
        b"",
        b"nonsense",
        b"\x81\xa7command\x81\xa4type\xa1\x80",  # a text that is not UTF-8
        b"\x82" + b"".join(fields) + b"\x91" * 100_000 + b"\x01",  # nested without end
    ]
    with EngineClient.launch(name="test") as client:
        with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
            stranger.connect(find_endpoints()[0].control)
            for data in garbage:
                stranger.send(data)

        answer = client.call(GetSnapshot())

    assert answer.snapshot is not None
