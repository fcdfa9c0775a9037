"""Strategic merge patches: lists merge by the keys that the fields of their kind name, directives say the rest.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deployctl.sandbox.calls import Refused
from deployctl.sandbox.objects.fields import Field, fields_of

Json = dict[str, Any]
DIRECTIVE = "$patch"
ORDER = "$setElementOrder/"
DROP = "$deleteFromPrimitiveList/"
RETAIN = "$retainKeys"


def strategic_patch(kind: str, held: Json, change: Any) -> Json:
    """Give an object of a kind with a strategic patch applied."""
    if not isinstance(change, dict):
        found = {str: "string", bool: "bool", list: "array"}.get(type(change), "number")
        told = f"json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
        raise Refused(400, "BadRequest", told)
    return _merged(kind, held, change)


def _merged(kind: str, held: Json, change: Json) -> Json:
    if DIRECTIVE in change:
        return _directed(change)
    merged = _retained(held, change)
    known = fields_of(kind)
    for key, value in change.items():
        if key == RETAIN or key.startswith(ORDER):
            continue
        if key.startswith(DROP):
            name = key.removeprefix(DROP)
            merged[name] = [one for one in merged.get(name) or [] if one not in value]
        elif value is None:
            merged.pop(key, None)
        else:
            _set(merged, key, _value(known.get(key), merged.get(key), value))
    for key in change:
        if key.startswith(ORDER):
            _reorder(known, held, merged, change, key.removeprefix(ORDER))
    return merged


def _set(merged: Json, key: str, value: Any) -> None:
    if value is _GONE:
        merged.pop(key, None)
    else:
        merged[key] = value


_GONE: Any = object()


def _directed(change: Json) -> Json:
    match change[DIRECTIVE]:
        case "replace":
            return {key: value for key, value in change.items() if key != DIRECTIVE}
        case "delete":
            return {}
    raise _failed(f"unknown patch type: {change[DIRECTIVE]!s} in map: {_go(change)}")


def _retained(held: Json, change: Json) -> Json:
    """Keep of what is held only the keys that the patch names, where it names them."""
    if RETAIN not in change:
        return dict(held)
    kept = change[RETAIN]
    said = (key for key, value in change.items() if value is not None and not key.startswith("$"))
    if not isinstance(kept, list) or any(key not in kept for key in said):
        raise _bad("invalid patch format of retainKeys")
    return {key: value for key, value in held.items() if key in kept}


def _value(field: Field | None, held: Any, change: Any) -> Any:
    inner = field.inner if field else ""
    if isinstance(change, dict):
        if isinstance(held, dict):
            return _merged(inner, held, change)
        return _clean(change)
    if isinstance(change, list) and isinstance(held, list) and field and field.merge is not None:
        return _list(field, held, change)
    return _clean(change)


def _clean(change: Any) -> Any:
    """Give what is new without its directives and nulls; what only says what to remove is nothing."""
    if isinstance(change, list):
        return [one for one in map(_clean, change) if one is not _GONE]
    if not isinstance(change, dict):
        return change
    if DIRECTIVE in change:
        return _GONE
    cleaned = {
        key: _clean(value) for key, value in change.items() if value is not None and not key.startswith("$")
    }
    return {key: value for key, value in cleaned.items() if value is not _GONE}


def _list(field: Field, held: list[Any], change: list[Any]) -> list[Any]:
    if not field.merge:
        return _ordered([*held, *(one for one in change if one not in held)], change, held, "")
    key = field.merge
    merged = list(held)
    plain = [one for one in change if DIRECTIVE not in one]
    for one in change:
        if key not in one and one.get(DIRECTIVE) != "replace":
            raise _failed(f"map: {_go(one)} does not contain declared merge key: {key}")
    for one in change:
        match one.get(DIRECTIVE):
            case "delete":
                merged = [other for other in merged if other.get(key) != one[key]]
            case "replace":
                return plain
    return _ordered(_by_key(field, merged, plain), [one[key] for one in plain], held, key)


def _by_key(field: Field, held: list[Json], change: list[Json]) -> list[Json]:
    key = str(field.merge)
    merged = list(held)
    for one in change:
        at = next((at for at, other in enumerate(merged) if other.get(key) == one[key]), None)
        if at is None:
            merged.append(one)
        else:
            merged[at] = _merged(field.inner, merged[at], one)
    return merged


def _reorder(known: dict[str, Field], held: Json, merged: Json, change: Json, name: str) -> None:
    """Put a list in the order that the patch wants, with what only the server has where it was."""
    field = known.get(name)
    if name not in merged or field is None:
        return
    key = field.merge or ""
    wanted = [one[key] if key else one for one in change[ORDER + name]]
    said = [one for one in change.get(name) or [] if not (isinstance(one, dict) and DIRECTIVE in one)]
    left = iter(wanted)
    if not all((one[key] if key else one) in left for one in said):
        listed = f"The order in patch list:\n{_go(change[name])}\n doesn't match $setElementOrder list:\n"
        raise _failed(f"{listed}{_go(change[ORDER + name])}\n")
    merged[name] = _ordered(merged[name], wanted, held.get(name) or [], key)


def _ordered(merged: list[Any], wanted: list[Any], held: list[Any], key: str) -> list[Any]:
    """Sort by the wanted order; elements that it does not name go before whichever followed them."""

    def tell(one: Any) -> Any:
        return one[key] if key else one

    named = sorted((one for one in merged if tell(one) in wanted), key=lambda one: wanted.index(tell(one)))
    others = [one for one in merged if tell(one) not in wanted]
    places = {_token(tell(one)): at for at, one in enumerate(held)}
    return list(_zipped(named, others, [places.get(_token(tell(one)), -1) for one in named], places, tell))


def _token(value: Any) -> str:
    return f"{type(value).__name__}:{value}"


def _zipped(
    named: list[Any], others: list[Any], at: list[int], places: dict[str, int], tell: Any
) -> Iterable[Any]:
    """Merge two lists: an unnamed element comes first where it stood before the next named one."""
    left = list(zip(named, at, strict=True))
    for other in others:
        place = places.get(_token(tell(other)), -1)
        while left and (left[0][1] == -1 or left[0][1] < place):
            yield left.pop(0)[0]
        yield other
    yield from (one for one, _ in left)


def _bad(message: str) -> Refused:
    return Refused(400, "BadRequest", message)


def _failed(message: str) -> Refused:
    """Word what the server did not think of as a mistake of the client."""
    return Refused(500, "", message)


def _go(value: Any) -> str:
    """Write a value as Go's %v does."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go, value)) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)
