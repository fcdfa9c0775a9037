"""The flag gate asks what a feature flag is, for a pinned context, at every endpoint that evaluates it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.flags import Context, Reading
from deployctl.flags.values import check_places, pinned, same, shown
from deployctl.gates import Asked
from strategies.analysis import Answer, Measurement

FlagKey = Annotated[str, Meta(min_length=1, max_length=500)]


@dataclass(frozen=True)
class Flag:
    """Ask spec.flags.provider what a flag is evaluated to, and compare.

    key: of the flag
    expect: the value that passes; text is not true, and 1 is not true
    context: fields besides those of spec.flags.context, such as jurisdiction; ${preview} is a revision
    everywhere: ask every endpoint; else the first one with a value decides
    """

    RIGHTS: ClassVar = ("what the provider needs to evaluate: a token, or get of a ConfigMap",)
    UNKNOWNS: ClassVar = (
        "an endpoint that does not answer in time, or refuses the token",
        "no such flag, one that is DISABLED, an answer without a value or a stale one: none of it is false",
        "rules that only an endpoint can evaluate, where flags are read from a file or a ConfigMap",
    )
    pod_wise: ClassVar = False

    key: FlagKey
    expect: bool | int | float | str = True
    context: dict[str, str] = dataclasses.field(default_factory=dict)
    everywhere: bool = True

    def __post_init__(self) -> None:
        check_places(self.context)

    def measure(self, asked: Asked) -> Measurement:
        """Ask once; one endpoint that says otherwise is a no, and one without a value no answer."""
        if asked.flags is None:
            return Measurement(Answer.UNKNOWN, "no provider is named: spec.flags.provider")
        said = asked.flags.context
        context = pinned(said.key, {**said.fields, **self.context}, asked.about)
        try:
            found = asked.flags.provider.options.read(self.key, context, asked)
        except DeployctlError as error:
            return Measurement(Answer.UNKNOWN, f"{self.key}: {error}")
        return self._judged(tuple(self._meant(found)), context)

    def _meant(self, found: tuple[Reading, ...]) -> Iterator[Reading]:
        if self.everywhere:
            yield from found
        else:
            yield from [one for one in found if one.value is not None][:1] or found[:1]

    def _judged(self, found: tuple[Reading, ...], context: Context) -> Measurement:
        for_whom = ", ".join((context.key, *(f"{name}={value}" for name, value in context.fields)))
        if strange := [one for one in found if one.value is not None and not same(one.value, self.expect)]:
            told = ", ".join(f"{shown(one.value)} at {one.endpoint}" for one in strange)
            return Measurement(
                Answer.FAIL, f"{self.key} is {told} for {for_whom}, expected {shown(self.expect)}"
            )
        if silent := [one for one in found if one.value is None]:
            told = "; ".join(f"{one.endpoint}: {one.why}" for one in silent)
            return Measurement(Answer.UNKNOWN, f"{self.key} has no value at {told}")
        if not found:
            return Measurement(Answer.UNKNOWN, f"{self.key}: no endpoint was asked")
        where = found[0].endpoint if len(found) == 1 else f"all {len(found)} endpoints"
        return Measurement(Answer.PASS, f"{self.key} is {shown(self.expect)} at {where} for {for_whom}")
