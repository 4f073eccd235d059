"""Keep chosen attributes of a class in the global storage, so that instances stay small."""

import copy
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from engine.errors import InvalidArgumentError
from engine.machine._context import in_worker
from engine.machine._storage import storage

__all__ = ("glob_store_attributes",)

_Class = TypeVar("_Class", bound=type)


def glob_store_attributes(*attrs: str) -> Callable[[_Class], _Class]:
    """Decorate a class so that the named attributes live in the global storage.

    They are read and set like any others. An instance holds only their keys, so that sending it
    to a worker sends no big object; the worker reads the object from the storage. Copies of an
    instance share an object until one of them sets its own; the object goes with the last of
    them. ``copy.deepcopy`` copies it. An attribute never set is its default in the class, or None.

    An object made by a worker travels with the instance when that returns to the parent.

    Raises
    ------
    InvalidArgumentError : no names were given, or instances of the class have no ``__dict__``.
    """
    if not attrs or not all(isinstance(name, str) for name in attrs):
        raise InvalidArgumentError(
            "glob_store_attributes needs attribute names: write "
            '@glob_store_attributes("big_obj") above the class'
        )

    def decorate(cls: _Class) -> _Class:
        if not cls.__dictoffset__:
            raise InvalidArgumentError(
                f"class {cls.__name__} has __slots__ and no __dict__, so that its attributes "
                'cannot be stored elsewhere; add "__dict__" to its __slots__'
            )
        for name in attrs:
            setattr(cls, name, _StoredAttribute(name, getattr(cls, name, None)))
        return cls

    return decorate


class _StoredAttribute:
    """The property behind one attribute."""

    def __init__(self, name: str, default: Any) -> None:  # noqa: ANN401 - the user's
        # A class derived from a decorated one may name the attribute again.
        is_again = isinstance(default, _StoredAttribute)
        self._default: Any = default._default if is_again else default  # noqa: SLF001
        self._place = f"_glob_stored_{name}"
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> Any:  # noqa: ANN401
        if instance is None:
            return self
        reference: _Reference | None = instance.__dict__.get(self._place)
        if reference is None:
            return self._default
        return storage.read(reference.key)

    def __set__(self, instance: object, value: object) -> None:
        instance.__dict__[self._place] = _references.new(value)

    def __delete__(self, instance: object) -> None:
        if instance.__dict__.pop(self._place, None) is None:
            raise AttributeError(f"{type(instance).__name__!r} has no {self._name!r} of its own")


class _Reference:
    """A key that belongs to all who hold this object; its value goes with the last of them."""

    __slots__ = ("__weakref__", "key")

    def __init__(self, key: int) -> None:
        self.key = key

    def __reduce__(self) -> tuple[object, ...]:
        if in_worker() and storage.store.owns(self.key):
            return _references.new, (storage.read(self.key),)  # nobody else can read it
        return _references.to, (self.key,)

    def __copy__(self) -> "_Reference":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Reference":
        return _references.new(copy.deepcopy(storage.read(self.key), memo))


class _References:
    """All references of this process, at most one per key."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        os.register_at_fork(after_in_child=self._unlock)
        self._by_key: weakref.WeakValueDictionary[int, _Reference] = weakref.WeakValueDictionary()

    def __reduce__(self) -> str:
        return "_references"  # one per process: pickled by its name

    def new(self, value: object) -> _Reference:
        """Store a value and return the reference that keeps it."""
        return self._add(storage.store.add(value))

    def to(self, key: int) -> _Reference:
        """Return the reference to a key that came with a pickle."""
        with self._lock:
            known = self._by_key.get(key)
            if known is not None:
                return known
            if storage.store.owns(key) and storage.store.revive(key):
                return self._add(key)
            reference = _Reference(key)  # somebody else's: nothing goes with it
            self._by_key[key] = reference
            return reference

    def _unlock(self) -> None:
        self._lock = threading.RLock()  # in a fork, its owner may be gone

    def _add(self, key: int) -> _Reference:
        reference = _Reference(key)
        weakref.finalize(reference, storage.store.drop_later, key).atexit = False
        with self._lock:
            self._by_key[key] = reference
        return reference


_references = _References()
