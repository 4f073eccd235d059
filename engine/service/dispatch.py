"""Carries out commands, one after the other, in a thread of its own."""

import logging
import queue
import threading
from collections.abc import Callable

import msgspec

from engine.errors import (
    EngineBugError,
    EngineError,
    WrongStateError,
    to_wire,
)
from engine.protocol import (
    PROTOCOL_VERSION,
    AddDriverFolder,
    AddStream,
    Answer,
    AnyCommand,
    FindDevices,
    GetReport,
    GetSnapshot,
    Hello,
    InspectProgram,
    LoadLicense,
    LoadProgram,
    LoadProject,
    ProbePlugins,
    RemoveDriverFolder,
    RemoveStream,
    Reply,
    Request,
    SaveProject,
    SetLanes,
    SetPluginEnabled,
    SetPreview,
    SetProject,
    SetRecording,
    SetStreamEnabled,
    Shutdown,
    StartAll,
    StartStream,
    StopAll,
    StopStream,
    UnloadProgram,
    UpdateStream,
)
from engine.service.workspace import Workspace

__all__ = ("Dispatcher",)

log = logging.getLogger(__name__)


class Dispatcher:
    """The control thread: takes requests, changes the workspace, hands replies on.

    Parameters
    ----------
    make_workspace : builds the workspace in the control thread.
    reply : called with (client, reply) from the control thread; must return at once.
    ended : called when the thread is over.
    """

    def __init__(
        self,
        make_workspace: Callable[[], Workspace],
        reply: Callable[[bytes, Reply], None],
        ended: Callable[[], None],
    ) -> None:
        self._make_workspace = make_workspace
        self._reply = reply
        self._ended = ended
        self._requests: queue.SimpleQueue[tuple[bytes, Request] | None] = queue.SimpleQueue()
        self.workspace: Workspace | None = None
        self._thread = threading.Thread(target=self._run, name="control")

    def start(self) -> None:
        """Begin to carry out requests."""
        self._thread.start()

    def put(self, client: bytes, request: Request) -> None:
        """Queue a request; returns at once."""
        self._requests.put((client, request))

    def end(self) -> None:
        """Ask the thread to close the workspace and end; returns at once."""
        self._requests.put(None)

    def join(self, deadline_s: float) -> bool:
        """Wait for the end; tell whether it came."""
        self._thread.join(deadline_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        workspace: Workspace | None = None
        try:
            workspace = self.workspace = self._make_workspace()
            while (item := self._requests.get()) is not None:
                client, request = item
                reply = self._answer(workspace, request)
                version = workspace.store.snapshot.version
                self._reply(client, msgspec.structs.replace(reply, state_version=version))
                if isinstance(request.command, Shutdown):
                    break
        except Exception:
            # Outermost function of the thread: the service ends, its parent sees that.
            log.exception("the control thread failed")
        finally:
            if workspace is not None:
                workspace.close()
            self._ended()

    def _answer(self, workspace: Workspace, request: Request) -> Reply:
        try:
            return Reply(request.request_id, answer=_carry_out(workspace, request.command))
        except EngineError as error:
            log.warning("%s", error)
            return Reply(request.request_id, error=to_wire(error))
        except Exception as error:
            # A command must never take the engine down with it.
            log.exception("command %s failed", type(request.command).__name__)
            bug = EngineBugError(f"{type(request.command).__name__} failed: {error!r}")
            return Reply(request.request_id, error=to_wire(bug))


def _carry_out(workspace: Workspace, command: AnyCommand) -> Answer | None:
    match command:
        case Hello(protocol_version=version):
            if version != PROTOCOL_VERSION:
                raise WrongStateError(
                    f"this engine speaks protocol {PROTOCOL_VERSION}, the client {version}; "
                    "use the same Penstock version for both"
                )
            return Answer(snapshot=workspace.store.snapshot)
        case GetSnapshot():
            return Answer(snapshot=workspace.store.snapshot)
        case GetReport():
            return Answer(report=workspace.report())
        case LoadProgram(path=path, name=name):
            return Answer(program=workspace.programs.load(path, name))
        case InspectProgram(path=path):
            return Answer(program=workspace.programs.inspect(path))
    if not (_change_project(workspace, command) or _change_streams(workspace, command)):
        _change_engine(workspace, command)
    return None


def _change_project(workspace: Workspace, command: AnyCommand) -> bool:
    match command:
        case LoadProject(path=path):
            workspace.load_project(path)
        case SetProject(project=project, folder=folder):
            workspace.use_project(project, None, folder)
        case SaveProject(path=path):
            workspace.save_project(path)
        case UnloadProgram(name=name):
            workspace.programs.unload(name)
        case _:
            return False
    return True


def _change_streams(workspace: Workspace, command: AnyCommand) -> bool:
    streams = workspace.streams
    match command:
        case StartAll():
            streams.start_all()
        case StopAll():
            streams.stop_all()
            workspace.set_recording(is_recording=False)
        case StartStream(name=name):
            streams.start(name)
        case StopStream(name=name):
            streams.stop(name)
        case AddStream(settings=settings):
            streams.add(settings)
        case UpdateStream(name=name, settings=settings):
            streams.update(name, settings)
        case RemoveStream(name=name):
            streams.remove(name)
        case SetStreamEnabled(name=name, is_enabled=is_enabled):
            streams.set_enabled(name, is_enabled=is_enabled)
        case SetPreview(name=name, is_watched=is_watched, width=width, height=height):
            streams.watch(name, is_watched=is_watched, width=width, height=height)
        case _:
            return False
    return True


def _change_engine(workspace: Workspace, command: AnyCommand) -> None:
    folders = workspace.project.engine.driver_directories
    match command:
        case LoadLicense(path=path):
            workspace.load_license(path)
        case SetPluginEnabled(key=key, is_enabled=is_enabled):
            workspace.set_plugin_enabled(key, is_enabled=is_enabled)
        case ProbePlugins():
            workspace.probe_plugins()
        case SetLanes(lanes=lanes):
            workspace.set_lanes(lanes)
        case AddDriverFolder(path=path):
            workspace.set_driver_folders((*folders, path))
        case RemoveDriverFolder(path=path):
            workspace.set_driver_folders(tuple(f for f in folders if f != path))
        case FindDevices(driver=driver):
            workspace.devices.find(workspace.catalog.get(driver))
        case SetRecording(is_recording=is_recording, directory=directory):
            workspace.set_recording(is_recording=is_recording, directory=directory)
        case Shutdown():
            workspace.streams.stop_all()
        case _:
            raise EngineBugError(f"nobody carries out {type(command).__name__}")
