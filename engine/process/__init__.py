"""Start, watch and stop child processes, talk to them, and say how they ended."""

from engine.process.channel import MAX_MESSAGE_BYTES, Channel, PeerGoneError
from engine.process.child import ChildProcess
from engine.process.command import python_command
from engine.process.descriptors import check_descriptors
from engine.process.eager_wait import EagerWait
from engine.process.error_output import ErrorOutput, ErrorPipe
from engine.process.handles import ContextProcess, InterpreterProcess, ProcessHandle
from engine.process.identity import boot_id, is_same_process, start_time_of
from engine.process.logs import ForwardingHandler, entry_of
from engine.process.outcome import Outcome
from engine.process.parent import leave_with_parent
from engine.process.waiting import Deadline, wait_readable, wait_writable
from engine.process.wake import WakePipe

__all__ = (
    "Channel",
    "ChildProcess",
    "ContextProcess",
    "Deadline",
    "EagerWait",
    "ErrorOutput",
    "ErrorPipe",
    "ForwardingHandler",
    "InterpreterProcess",
    "MAX_MESSAGE_BYTES",
    "Outcome",
    "PeerGoneError",
    "ProcessHandle",
    "WakePipe",
    "boot_id",
    "check_descriptors",
    "entry_of",
    "is_same_process",
    "leave_with_parent",
    "python_command",
    "start_time_of",
    "wait_readable",
    "wait_writable",
)
