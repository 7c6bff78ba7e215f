"""State that the sync and the async driver share: the component, its warm instance, and the sources of values."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Collection, Generator, Mapping
from pathlib import Path
from typing import Any, Union

from . import _machine
from ._component import Component, Event, Instance, TrapError, default_cache_dir
from ._errors import ConnectorError
from ._http import Network
from ._machine import Operation, Output
from ._sources import Secret, Source, Value, Values

# Memory of a component does not shrink: after a long result, new actions get a new instance.
_MAX_WARM_RESULT = 16 * 1024 * 1024

Audit = Callable[[str], None]
"""Called with the id of a user before a request that changes this user is sent. If it raises, nothing is sent."""

_components: dict[tuple[bytes, Path | None], Component] = {}
_components_lock = threading.Lock()


def _component(code: bytes, cache_dir: Path | None) -> Component:
    """The compiled component, once for the process."""
    key = (hashlib.sha256(code).digest(), cache_dir)
    with _components_lock:
        if key not in _components:
            _components[key] = Component(code, cache_dir)
        return _components[key]


class Driver:
    """A connector with its settings, without its IO."""

    _error: Callable[[Mapping[str, Any]], Exception] = staticmethod(ConnectorError.from_failure)

    def __init__(
        self,
        component: Union[str, os.PathLike[str], bytes, bytearray],
        *,
        settings: Mapping[str, Value] | None = None,
        secrets: Mapping[str, Value] | None = None,
        settings_source: Source | None = None,
        vault: Source | None = None,
        environment: str | None = None,
        lookup_timeout: float = 10.0,
        proxy: str | Secret | None = None,
        ca_file: Union[str, os.PathLike[str], None] = None,
        verify: bool = True,
        allowed_origins: Collection[str] = (),
        cache_dir: Union[str, os.PathLike[str], bool, None] = True,
        audit: Audit | None = None,
    ) -> None:
        """Creates a connector. Nothing is sent.

        Args:
            component: the component: a path, or its bytes
            settings: settings by name: texts, or functions that return them
            secrets: secrets by name: texts, or functions that return them
            settings_source: a function that gets names of settings and returns a mapping, for those that are not in ``settings``
            vault: the same for secrets
            environment: a prefix of variables, such as ``CONNECTOR_``, for values that are found nowhere else
            lookup_timeout: the longest wait for these functions, in seconds
            proxy: ``http://host:port``, ``none``, or ``env`` (the default)
            ca_file: a PEM file of CA certificates, in addition to the system's
            verify: False accepts any certificate: for tests only
            allowed_origins: origins that requests may go to besides those of the component's description
            cache_dir: a folder for compiled code; False for none
            audit: a function that gets the id of a user before a change is sent; if it raises, nothing is sent

        Raises:
            ValueError: if the component is not one of this contract, or an option is not valid
            OSError: if a file cannot be read
        """
        secrets = {name: Secret.of(value) for name, value in (secrets or {}).items()}
        code = bytes(component) if isinstance(component, (bytes, bytearray)) else Path(component).read_bytes()
        if isinstance(cache_dir, bool):
            folder = default_cache_dir() if cache_dir else None
        else:
            folder = None if cache_dir is None else Path(cache_dir)
        self._component = _component(code, folder)
        self._instance_lock = threading.Lock()
        self._warm: Instance | None = None
        self._description: str = self._instance().describe()
        manifest = json.loads(self._description)
        origins = manifest["origins"]
        self._setting_names: list[str] = [setting["name"] for setting in manifest["settings"]]
        self._network = Network(Secret.of_text(proxy), os.fspath(ca_file) if ca_file else None, verify, allowed_origins)
        self._network.allowed |= Network(None, None, True, [origins["default"], *origins["allowed"]]).allowed
        self._settings = Values(settings or {}, settings_source, environment, lookup_timeout)
        self._secrets = Values(secrets or {}, vault, environment, lookup_timeout)
        self._audit = audit
        self._is_closed = False
        self._pid = os.getpid()
        self._start()

    def _start(self) -> None:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> Any:
        raise TypeError(f"{type(self).__name__} holds credentials and connections, and cannot be pickled or copied")

    def describe(self) -> dict[str, Any]:
        """The description of the connector: settings, secrets, actions with their JSON Schemas, and codes of failures."""
        description: dict[str, Any] = json.loads(self._description)
        return description

    def _instance(self) -> Instance:
        """The warm instance. One that trapped, or that belongs to the parent process, is replaced."""
        with self._instance_lock:
            warm = self._warm
            if warm is None or not warm.is_usable or warm.pid != os.getpid():
                warm = self._warm = self._component.instance()
            return warm

    def _machine(self, action: str | None, arguments: str) -> Generator[Operation, Event, Output]:
        if self._is_closed:
            raise RuntimeError("the connector is closed")
        try:
            instance = self._instance()
        except TrapError as trap:
            raise self._error(_machine.host_failed(str(trap))) from None
        return _machine.run(instance, action, arguments, self._setting_names, self._notify, self._error)

    def _notify(self) -> None:
        raise NotImplementedError

    def _finished(self, output: Output) -> Output:
        if len(output.json) > _MAX_WARM_RESULT:
            with self._instance_lock:
                self._warm = None
        return output

    def _before_change(self, user_id: str | None) -> Event | None:
        """The event instead of a request whose audit failed."""
        if user_id is None or self._audit is None:
            return None
        try:
            self._audit(user_id)
        except Exception as error:
            return _machine.no_response("denied", f"the audit of the change failed with {type(error).__name__}")
        return None


def dumps(arguments: Mapping[str, Any] | str) -> str:
    """Arguments of an action as JSON."""
    return arguments if isinstance(arguments, str) else json.dumps(arguments)
