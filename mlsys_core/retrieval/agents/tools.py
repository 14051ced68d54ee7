"""Tools that a model may call: ordinary functions, described by their annotations, checked before they run.

Idea      A model writes text, and a tool takes arguments. Between the two stands a schema: which arguments there are, of which types,
          which may be left out. It is read off the function, so it cannot disagree with it. What does not fit is told as a sentence that
          says what to write instead, because the reader is the model, and its next try is all that can mend it.
Equation  call(name, arguments) -> text, or one sentence about what is wrong with the first thing that is
Paper     T. Schick et al., "Toolformer: language models can teach themselves to use tools", NeurIPS 2023. The schema is that of JSON
          Schema, draft 2020-12, as the function calls of today's interfaces have it.
Cost      O(arguments) a call; a tool's description is part of every prompt.
"""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

Schema = dict[str, Any]
NAMES = {str: "string", int: "integer", float: "number", bool: "boolean"}


class ToolError(ValueError):
    """What a model has to know about its call; the text says what is wrong and what to write instead."""


@dataclass(frozen=True)
class Tool:
    """A function with its name, what it does in one sentence, and the JSON schema of its arguments."""

    name: str
    description: str
    parameters: Schema
    function: Callable[..., Any]

    @property
    def signature(self) -> str:
        """One line for a prompt: name, arguments with their types, and what it does."""
        required = self.parameters["required"]
        arguments = ", ".join(
            f"{name}{'' if name in required else '?'}: {_told(schema)}"
            for name, schema in self.parameters["properties"].items()
        )
        return f"{self.name}({arguments}): {self.description}"

    def call(self, arguments: Any) -> str:
        """What the tool says, as text. Raises `ToolError` for arguments that do not fit, and for a ValueError of the tool's own."""
        if not isinstance(arguments, Mapping):
            raise ToolError(f"The arguments of {self.name} are an object, as in {self._example()}.")
        properties = self.parameters["properties"]
        for name in arguments:
            if name not in properties:
                known = ", ".join(properties) or "none"
                raise ToolError(f"{self.name} has no argument “{name}”: its arguments are {known}.")
        for name in self.parameters["required"]:
            if name not in arguments:
                raise ToolError(f"{self.name} needs “{name}”, {_told(properties[name])}: {self._example()}.")
        for name, value in arguments.items():
            if not fits(value, properties[name]):
                raise ToolError(f"“{name}” of {self.name} is {_told(properties[name])}, and not {_shown(value)}.")
        try:
            said = self.function(**arguments)
        except ValueError as error:
            raise ToolError(f"{self.name} could not do this: {error}") from error
        return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)

    def _example(self) -> str:
        return json.dumps(
            {name: _told(schema) for name, schema in self.parameters["properties"].items()}, ensure_ascii=False
        )


def tool(function: Callable[..., Any]) -> Tool:
    """A function as a tool; the first line of its docstring says what it does.

    Raises ValueError for a function without a docstring, and for arguments without an annotation that JSON knows: str, int, float, bool,
    Literal, lists of these, and `| None` of these. Arguments with a default may be left out.
    """
    name = getattr(function, "__name__", "")
    description = (inspect.getdoc(function) or "").partition("\n")[0].rstrip(".")
    if not description:
        raise ValueError(f"{name} says nothing about itself: give it a docstring, by which a model chooses.")
    hints = get_type_hints(function)
    properties, required = dict[str, Schema](), list[str]()
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY}:
            raise ValueError(f"{name} takes {parameter}: a tool has arguments with names, each of its own.")
        if parameter.name not in hints:
            raise ValueError(f"{name} does not say what “{parameter.name}” is: annotate it.")
        properties[parameter.name] = schema_of(hints[parameter.name])
        if parameter.default is parameter.empty:
            required.append(parameter.name)
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return Tool(name, description, schema, function)


def schema_of(annotation: Any) -> Schema:
    """The JSON schema of an annotation. Raises ValueError for one that JSON does not know."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if annotation in NAMES:
        return {"type": NAMES[annotation]}
    if annotation is type(None):
        return {"type": "null"}
    if origin is Literal:
        return {"enum": list(inside)}
    if origin is list and len(inside) == 1:
        return {"type": "array", "items": schema_of(inside[0])}
    if origin in {Union, types.UnionType}:
        return {"anyOf": [schema_of(one) for one in inside]}
    raise ValueError(
        f"A model cannot write a value of type {annotation}: use str, int, float, bool, Literal or a list."
    )


def fits(value: Any, schema: Schema) -> bool:
    """Whether a value from JSON fits a schema of `schema_of`. true is no integer, and 2 is a number."""
    if "enum" in schema:
        return any(type(value) is type(one) and value == one for one in schema["enum"])
    if "anyOf" in schema:
        return any(fits(value, one) for one in schema["anyOf"])
    kind = schema["type"]
    if kind == "array":
        return isinstance(value, list) and all(fits(one, schema["items"]) for one in value)
    if isinstance(value, bool) or kind == "boolean":
        return isinstance(value, bool) and kind == "boolean"
    if kind == "number":
        return isinstance(value, int | float)
    return isinstance(value, {"string": str, "integer": int, "null": type(None)}[kind])


def _told(schema: Schema) -> str:
    """A schema in words."""
    if "enum" in schema:
        return "one of " + ", ".join(json.dumps(one, ensure_ascii=False) for one in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_told(one) for one in schema["anyOf"])
    return f"a list of {_told(schema['items'])}" if schema["type"] == "array" else str(schema["type"])


def _shown(value: Any) -> str:
    """A value in a sentence, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"
