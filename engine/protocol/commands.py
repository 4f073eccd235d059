"""What clients may ask of the engine service, and how it answers."""

import msgspec

from engine.config import Project, StreamSettings
from engine.errors import WireError
from engine.protocol.state import ProgramState, Snapshot
from engine.protocol.telemetry import Report

__all__ = (
    "PROTOCOL_VERSION",
    "AddDriverFolder",
    "AddStream",
    "Answer",
    "AnyCommand",
    "Command",
    "FindDevices",
    "GetReport",
    "GetSnapshot",
    "Hello",
    "InspectProgram",
    "LoadLicense",
    "LoadProgram",
    "LoadProject",
    "ProbePlugins",
    "RemoveDriverFolder",
    "RemoveStream",
    "Reply",
    "Request",
    "SaveProject",
    "SetLanes",
    "SetPluginEnabled",
    "SetPreview",
    "SetProject",
    "SetRecording",
    "SetStreamEnabled",
    "Shutdown",
    "StartAll",
    "StartStream",
    "StopAll",
    "StopStream",
    "UnloadProgram",
    "UpdateStream",
)

PROTOCOL_VERSION = 1


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="verb"):
    """Base of all commands; the verb is the class's name."""


class Hello(Command, frozen=True, tag="hello"):
    """Introduce a client; another protocol version is refused. Answer: Snapshot."""

    protocol_version: int
    client: str = ""


class GetSnapshot(Command, frozen=True, tag="get_snapshot"):
    """Answer: Snapshot."""


class GetReport(Command, frozen=True, tag="get_report"):
    """Answer: Report of the run so far."""


class LoadProject(Command, frozen=True, tag="load_project"):
    """Stop everything and load a project file."""

    path: str


class SetProject(Command, frozen=True, tag="set_project"):
    """Stop everything and use this project; relative paths count from `folder`."""

    project: Project
    folder: str = ""


class SaveProject(Command, frozen=True, tag="save_project"):
    """Write the project to `path` (empty: where it came from)."""

    path: str = ""


class StartAll(Command, frozen=True, tag="start_all"):
    """Start every enabled stream."""


class StopAll(Command, frozen=True, tag="stop_all"):
    """Stop every stream; answers when all have stopped."""


class StartStream(Command, frozen=True, tag="start_stream"):
    """Start one stream, also one that is not enabled."""

    name: str


class StopStream(Command, frozen=True, tag="stop_stream"):
    """Stop one stream; answers when it has stopped."""

    name: str


class AddStream(Command, frozen=True, tag="add_stream"):
    """Add a stream to the project (it is not started)."""

    settings: StreamSettings


class UpdateStream(Command, frozen=True, tag="update_stream"):
    """Change the settings of stream `name`; restarts that stream only when the change needs it."""

    name: str
    settings: StreamSettings


class RemoveStream(Command, frozen=True, tag="remove_stream"):
    """Stop a stream and take it out of the project."""

    name: str


class SetStreamEnabled(Command, frozen=True, tag="set_stream_enabled"):
    """Toggle a stream: disabling stops it, enabling starts it when others run."""

    name: str
    is_enabled: bool


class LoadProgram(Command, frozen=True, tag="load_program"):
    """Load a DFP under a name (empty: the file's name). Answer: ProgramState."""

    path: str
    name: str = ""


class UnloadProgram(Command, frozen=True, tag="unload_program"):
    """Take a program out of the project; refused while a stream uses it."""

    name: str


class InspectProgram(Command, frozen=True, tag="inspect_program"):
    """Describe a DFP file without loading it. Answer: ProgramState."""

    path: str


class LoadLicense(Command, frozen=True, tag="load_license"):
    """Use a license file; an empty path returns to the bundled community license."""

    path: str = ""


class SetPluginEnabled(Command, frozen=True, tag="set_plugin_enabled"):
    """Enable or disable a plugin; affects only streams started afterwards."""

    key: str
    is_enabled: bool


class ProbePlugins(Command, frozen=True, tag="probe_plugins"):
    """Probe all plugins again, each in a child process."""


class SetLanes(Command, frozen=True, tag="set_lanes"):
    """Set the number of device lanes; 0 is one per processor core. Takes effect at once."""

    lanes: int


class AddDriverFolder(Command, frozen=True, tag="add_driver_folder"):
    """Look for drivers in a further folder."""

    path: str


class RemoveDriverFolder(Command, frozen=True, tag="remove_driver_folder"):
    """Stop looking for drivers in a folder."""

    path: str


class FindDevices(Command, frozen=True, tag="find_devices"):
    """Look for the devices of a driver, without waiting; its state will tell them."""

    driver: str


class SetRecording(Command, frozen=True, tag="set_recording"):
    """Begin or end recording results; an empty directory keeps the project's."""

    is_recording: bool
    directory: str = ""


class SetPreview(Command, frozen=True, tag="set_preview"):
    """Say whether somebody looks at a stream, and how large it is shown (pixels)."""

    name: str
    is_watched: bool
    width: int = 640
    height: int = 360


class Shutdown(Command, frozen=True, tag="shutdown"):
    """Stop everything and end the engine service."""


AnyCommand = (
    Hello
    | GetSnapshot
    | GetReport
    | LoadProject
    | SetProject
    | SaveProject
    | StartAll
    | StopAll
    | StartStream
    | StopStream
    | AddStream
    | UpdateStream
    | RemoveStream
    | SetStreamEnabled
    | LoadProgram
    | UnloadProgram
    | InspectProgram
    | LoadLicense
    | SetPluginEnabled
    | ProbePlugins
    | SetLanes
    | AddDriverFolder
    | RemoveDriverFolder
    | FindDevices
    | SetRecording
    | SetPreview
    | Shutdown
)


class Request(msgspec.Struct, frozen=True):
    """A command with the number its reply will carry."""

    request_id: int
    command: AnyCommand


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a command returned; at most one field is set."""

    snapshot: Snapshot | None = None
    report: Report | None = None
    program: ProgramState | None = None


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to the request of that number, or why it failed.

    `state_version` is the version of the state after the command; the client hands the reply on
    when it knows that state.
    """

    request_id: int
    state_version: int = 0
    answer: Answer | None = None
    error: WireError | None = None
