"""The JSON Schema of a spec file, for editors: made from the very types that read it."""

from __future__ import annotations

import inspect as python
import re
from typing import Any

from msgspec import NODEFAULT, inspect, json

from deployctl import plugins
from deployctl.reading import written
from deployctl.shapes import UNIT, DurationType, Shape, bare, beside, key, kind_of, shape, told
from deployctl.spec import App
from strategies.quantities import Amount

DRAFT = "https://json-schema.org/draft/2020-12/schema"
DURATION = r"^(([0-9]+\.?[0-9]*|\.[0-9]+)(h|ms|m|s))+$"
AMOUNT = r"^([0-9]+|0*(100|[0-9]{1,2})%)$"
_FIELD_DOC = re.compile(r"^(\w+): (.+)$", re.MULTILINE)

Json = dict[str, Any]


def schema(cls: type = App) -> Json:
    """Give the schema of one document, with the options of every installed plugin."""
    defs: Json = {}
    root = _named(shape(cls), defs)
    return {"$schema": DRAFT, "title": "deployctl.yaml", **root, "$defs": defs}


def of_plan_file() -> Json:
    """Give the schema of the file that `plan --out` writes; in it is that of `plan -o json`."""
    from deployctl.planfile import API_VERSION, KIND, PlanFile

    whole = json.schema(PlanFile)
    file: Json = whole["$defs"]["PlanFile"]
    file["properties"] |= {"apiVersion": {"const": API_VERSION}, "kind": {"const": KIND}}
    file["required"] = list(file["properties"])
    for one in whole["$defs"].values():
        one["description"] = python.cleandoc(one.get("description", ""))
    return {"$schema": DRAFT, "title": "a plan file", **whole}


def _named(kind: Shape, defs: Json) -> Json:
    """Refer to the definition of a class; it is written once."""
    name = f"{kind.cls.__module__}.{kind.cls.__qualname__}"
    if name not in defs:
        defs[name] = {}
        defs[name] |= _object(kind, defs)
    return {"$ref": f"#/$defs/{name}"}


def _object(kind: Shape, defs: Json) -> Json:
    about = python.cleandoc(kind.cls.__doc__ or "")
    notes = dict(_FIELD_DOC.findall(about))
    own = [one for one in kind.fields if one is not beside(kind)]
    whole: Json = {
        "type": "object",
        "description": about.partition("\n")[0],
        "properties": {key(one.name): _property(one, notes, defs) for one in own},
        "required": [key(one.name) for one in own if one.required],
        "additionalProperties": False,
    }
    if plugged := beside(kind):
        choices = _choices(told(plugged.type, "group"), defs)
        whole["properties"] |= choices
        whole["oneOf"] = [{"required": [name]} for name in choices]
    return whole


def _property(one: inspect.Field, notes: dict[str, str], defs: Json) -> Json:
    name = key(one.name)
    said = {"description": notes[name]} if name in notes else {}
    return _type(kind_of(one), defs) | said | _default(one)


def _default(one: inspect.Field) -> Json:
    if one.required or one.default is None:
        return {}
    value = one.default_factory() if one.default is NODEFAULT else one.default
    return {"default": written(value, timed=one.name.endswith(UNIT))}


def _choices(group: str, defs: Json) -> Json:
    return {name: _named(shape(plugins.find(group, name)), defs) for name in plugins.names(group)}


def _type(kind: inspect.Type, defs: Json) -> Json:
    if group := told(kind, "group"):
        choices = _choices(group, defs)
        return {"type": "object", "properties": choices, "additionalProperties": False} | _just_one()
    match bare(kind):
        case inspect.UnionType(types=types):
            return {"anyOf": [_type(one, defs) for one in types]}
        case inspect.DataclassType(cls=cls) if cls is Amount:
            return {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": AMOUNT}]}
        case inspect.StructType() | inspect.DataclassType() as one:
            return _named(one, defs)
        case inspect.VarTupleType(item_type=inner, min_length=least):
            once = told(kind, "unique") == ""
            return _lean(type="array", items=_type(inner, defs), minItems=least, uniqueItems=once or None)
        case inspect.DictType(value_type=inner):
            return {"type": "object", "additionalProperties": _type(inner, defs)}
        case leaf:
            return _leaf(leaf)


def _just_one() -> Json:
    return {"minProperties": 1, "maxProperties": 1}


def _leaf(kind: inspect.Type) -> Json:
    match kind:
        case DurationType():
            return {"type": "string", "pattern": DURATION}
        case inspect.LiteralType(values=values):
            return {"enum": list(values)}
        case inspect.IntType(ge=least, le=most):
            return _lean(type="integer", minimum=least, maximum=most)
        case inspect.FloatType(ge=least, le=most):
            return _lean(type="number", minimum=least, maximum=most)
        case inspect.StrType(pattern=pattern, min_length=least, max_length=most):
            return _lean(type="string", pattern=pattern, minLength=least, maxLength=most)
        case _:
            return {"type": "boolean"}


def _lean(**words: Any) -> Json:
    return {word: value for word, value in words.items() if value is not None}
