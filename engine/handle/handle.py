"""The published class `Handle`."""
# ruff: noqa: N802, N803 - the published names are camelCase

import os
import weakref
from typing import Self

from engine.errors import DriverDirectoryMissingError
from engine.handle._arguments import as_path, thread_count
from engine.handle._core import HandleCore
from engine.handle._queue import InitFunction
from engine.handle.errors import HandleArgumentTypeError, NoLicenseDataError
from engine.license import read_license, require

__all__ = ("Handle", "check_init_function")

FEATURE = "handle"


class Handle:
    """The way to everything else: holds the license, plugins, drivers and processing threads.

    Only one handle may exist at a time. ``del`` of the last reference, `close`, or the end of a
    ``with`` block makes room for another one; models, contexts and devices made with the handle
    are no longer valid then.

    Parameters
    ----------
    licenseData : bytes
        Content of a license file.

    Raises
    ------
    LicenseError
        When the license cannot be used; one class and code for each reason.
    HandleAlreadyCreatedError
        When a handle exists.
    """

    def __init__(self, licenseData: bytes) -> None:
        if not isinstance(licenseData, bytes | bytearray | memoryview):
            raise NoLicenseDataError(
                f"licenseData is the content of a license file as bytes, not "
                f"{type(licenseData).__name__}; read the file with open(path, 'rb'), or take "
                "engine.license.bundled_license()"
            )
        terms = read_license(bytes(licenseData))
        require(terms, FEATURE)
        self._core = HandleCore(terms)
        self._finalizer = weakref.finalize(self, self._core.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "open" if self._core.is_open else "closed"
        return f"<Handle of {self._core.terms.licensee!r}, {state}>"

    def close(self) -> None:
        """End the handle as ``del`` does, whoever else still refers to it. Safe to call twice."""
        self._core.guard.check()
        self._core.close()

    def createProcessingThreads(self, count: int, initFunction: InitFunction | None = None) -> None:
        """Process with `count` threads from now on.

        Starts ``count - 1`` background threads, one after the other; the thread that calls
        `ProcessingContext.processNext` is number 0. Contexts of the handle's own queue set that
        were made before are no longer valid.

        Parameters
        ----------
        count : int
            Number of threads, 1 or more.
        initFunction : callable
            Called first on every background thread with its number and `count`. What it raises
            comes out of this call, and no thread is left.

        Raises
        ------
        ThreadsExistError
            When there are background threads.
        HandleReentryError
            In an `initFunction` that uses the handle.
        """
        self._core.check()
        init = check_init_function(initFunction)
        self._core.create_threads(self._core.queue, thread_count(count), init)

    def stopProcessingThreads(self) -> None:
        """Abort what the handle's own queue set is processing, and end its background threads.

        Returns when that is done. Its contexts are no longer valid. Does nothing on a handle that
        was closed.
        """
        self._core.guard.check()
        if self._core.is_open:
            self._core.queue.stop("the threads of the handle were stopped after it was made")

    def processingPluginCount(self) -> int:
        """Return the number of processing plugins."""
        self._core.check()
        return self._core.plugins.count

    def processingPluginId(self, index: int) -> str:
        """Return a plugin's UUID as text.

        Raises
        ------
        PluginIndexError
            When `index` is not 0 to one less than the count.
        """
        self._core.check()
        return self._core.plugins.plugin_id(index)

    def processingPluginIndexById(self, id: str) -> int:  # noqa: A002 - the published name
        """Return the index of the plugin with this UUID.

        Raises
        ------
        ArgumentError
            When `id` is no UUID.
        PluginNotFoundError
            When no plugin has it.
        """
        self._core.check()
        return self._core.plugins.index_of(id)

    def processingPluginIsAvailable(self, index: int) -> bool:
        """Tell whether a plugin works on this machine.

        The first question probes all plugins in processes of their own, which takes seconds.
        """
        self._core.check()
        return self._core.plugins.is_available(index)

    def processingPluginIsEnabled(self, index: int) -> bool:
        """Tell whether a plugin is switched on, whether or not it works here."""
        self._core.check()
        return self._core.plugins.is_enabled(index)

    def processingPluginName(self, index: int) -> str:
        """Return a plugin's name for people."""
        self._core.check()
        return self._core.plugins.name(index)

    def processingPluginSetEnabled(self, index: int, enabled: bool) -> None:
        """Switch a plugin on or off for contexts that are made from now on."""
        self._core.check()
        self._core.plugins.set_enabled(index, enabled)

    def setDriverBaseDirectory(self, path: str | os.PathLike[str] | None) -> None:
        """Say where drivers are; None or an empty path leaves the built-in ones.

        A relative path is taken from the current directory now.

        Raises
        ------
        DriverDirectoryMissingError
            When it is not an existing directory; the old one stays.
        """
        self._core.check()
        folder = as_path(path, "the driver base directory")
        if folder is not None and not folder.is_dir():
            problem = "is not a directory" if folder.exists() else "does not exist"
            raise DriverDirectoryMissingError(
                f"driver base directory {folder} {problem}; the one used so far stays, "
                "give an existing directory",
                folder=str(folder),
            )
        self._core.driver_folder = folder

    def setDriverIsolationExecutable(self, path: str | os.PathLike[str] | None) -> None:
        """Say which program runs drivers; None or an empty path takes ``penstock-driver-host``.

        The program is not looked for before a driver is loaded: without it, every driver reports
        `DriverState.LoadError`.
        """
        self._core.check()
        self._core.isolation_executable = as_path(path, "the driver isolation executable")


def check_init_function(function: InitFunction | None) -> InitFunction | None:
    """Return an initialization function, or raise when it cannot be called."""
    if function is not None and not callable(function):
        raise HandleArgumentTypeError(
            f"initFunction is a function of (threadId, threadCount) or None, not {function!r}"
        )
    return function
