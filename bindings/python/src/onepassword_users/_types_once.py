"""Types of the component, resolved once.

wasmtime-py walks the types of a function anew at each call, which costs more than the call itself. These subclasses keep the
answers. They override public members only."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from wasmtime import component as wc


class _Record(wc.RecordType):
    @cached_property
    def fields(self) -> Any:
        return [(name, resolved(kind)) for name, kind in wc.RecordType.fields.fget(self)]  # type: ignore[attr-defined]


class _Tuple(wc.TupleType):
    @cached_property
    def elements(self) -> Any:
        return [resolved(kind) for kind in wc.TupleType.elements.fget(self)]  # type: ignore[attr-defined]


class _List(wc.ListType):
    @cached_property
    def element(self) -> Any:
        return resolved(wc.ListType.element.fget(self))  # type: ignore[attr-defined]


class _Option(wc.OptionType):
    @cached_property
    def payload(self) -> Any:
        return resolved(wc.OptionType.payload.fget(self))  # type: ignore[attr-defined]


class _Variant(wc.VariantType):
    @cached_property
    def cases(self) -> Any:
        cases = wc.VariantType.cases.fget(self)  # type: ignore[attr-defined]
        return [(name, resolved(kind)) for name, kind in cases]

    @cached_property
    def _is_tagged(self) -> bool:
        return super()._tagged()

    def _tagged(self) -> bool:
        return self._is_tagged


class _FuncType(wc.FuncType):
    @cached_property
    def params(self) -> Any:
        return [(name, resolved(kind)) for name, kind in wc.FuncType.params.fget(self)]  # type: ignore[attr-defined]

    @cached_property
    def result(self) -> Any:
        return resolved(wc.FuncType.result.fget(self))  # type: ignore[attr-defined]


class Func(wc.Func):
    """A function whose types are resolved once."""

    _resolved: _FuncType

    def type(self, store: Any) -> wc.FuncType:
        """The type of this function."""
        return self._resolved


_RESOLVED: dict[type, type] = {
    wc.RecordType: _Record,
    wc.TupleType: _Tuple,
    wc.ListType: _List,
    wc.OptionType: _Option,
    wc.VariantType: _Variant,
}


def resolved(kind: Any) -> Any:
    """The same type, which keeps what it is made of."""
    found = _RESOLVED.get(type(kind))
    if found is not None:
        kind.__class__ = found
    return kind


def resolved_func(function: wc.Func, store: Any) -> wc.Func:
    """The same function, which keeps its types."""
    kind = function.type(store)
    kind.__class__ = _FuncType
    function.__class__ = Func
    function._resolved = kind  # type: ignore[attr-defined]
    return function
