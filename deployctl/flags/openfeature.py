"""The openFeature provider reads flags through any provider of the OpenFeature SDK, which an entry point names.

The SDK only evaluates. Where flags are kept says `kept`, and what is written there is read back through it.
https://openfeature.dev/specification
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from msgspec import Meta

from deployctl import plugins
from deployctl.errors import DeployctlError, UsageError
from deployctl.flags import Context, Provider, Reading, Value
from deployctl.flags.config_map import ConfigMap
from deployctl.flags.elsewhere import NOT_NOW, Elsewhere
from deployctl.flags.file import File
from deployctl.flags.launchdarkly import LaunchDarkly
from deployctl.flags.unleash import Unleash
from deployctl.flags.values import plain, same
from deployctl.foreign import printable
from deployctl.gates import Asked
from deployctl.gates.extra import need

GROUP = "deployctl.openfeature"
POLL_SECONDS = 0.02
DEFAULTS = (("boolean", (False, True)), ("string", ("", "-")), ("float", (0.0, 1.0)), ("integer", (0, 1)))
Name = Annotated[str, Meta(min_length=1, extra={"expected": f"an entry point of the group {GROUP}"})]
Option = bool | int | float | str
Evaluated = tuple[Value | None, str]

_ready: dict[str, Any] = {}
_one = threading.Lock()


@dataclass(frozen=True)
class Keeper:
    """Where the provider has its flags from; exactly one of these.

    file: a file on the machine that deployctl runs on
    configMap: a ConfigMap of the app's namespace
    unleash: an Unleash
    launchDarkly: a LaunchDarkly
    """

    file: File | None = None
    config_map: ConfigMap | None = None
    unleash: Unleash | None = None
    launch_darkly: LaunchDarkly | None = None

    def __post_init__(self) -> None:
        if len(self._named) != 1:
            raise ValueError("expected exactly one of file, configMap, unleash and launchDarkly")

    @property
    def _named(self) -> list[Provider]:
        every = (self.file, self.config_map, self.unleash, self.launch_darkly)
        return [one for one in every if one is not None]

    @property
    def provider(self) -> Provider:
        return self._named[0]


@dataclass(frozen=True)
class OpenFeature(Elsewhere):
    """Flags as a provider of the OpenFeature SDK evaluates them in this process; needs deployctl[openfeature].

    provider: an entry point of the group deployctl.openfeature: what makes the provider, its class as a rule
    options: what it is called with, by name
    kept: where it has its flags from; without it flags are read and never written
    spread: how long it may take to see a write
    """

    provider: Name
    options: dict[str, Option] = field(default_factory=dict)
    kept: Keeper | None = None
    spread_seconds: float = 120.0

    def read(self, key: str, context: Context, asked: Asked) -> tuple[Reading, ...]:
        """Ask it in a thread of its own: somebody else's code may hang."""
        try:
            need("openfeature", "openfeature", "the OpenFeature SDK")
            value, why = _within(asked.timeout_seconds, lambda: self._told(key, context, asked))
        except DeployctlError as error:
            value, why = None, str(error)
        return (Reading(f"OpenFeature provider {self.provider}", value, why),)

    def _told(self, key: str, context: Context, asked: Asked) -> Evaluated:
        try:
            return self._evaluated(key, context, asked.timeout_seconds)
        except DeployctlError as error:
            return None, str(error)

    def _evaluated(self, key: str, context: Context, seconds: float) -> Evaluated:
        """Ask for each type in turn: only the flag knows its own, and the SDK asks for one."""
        from openfeature.evaluation_context import EvaluationContext

        whom, client = EvaluationContext(context.key, dict(context.fields)), self._client(seconds)
        for kind, defaults in DEFAULTS:
            ask = getattr(client, f"get_{kind}_details")
            found = [ask(key, one, whom) for one in defaults]
            if str(found[0].error_code or "") != "TYPE_MISMATCH":
                return _judged(found)
        return None, "its value is an object"

    def _client(self, seconds: float) -> Any:
        """Make the provider once a process; one that does not get ready is made anew the next time."""
        name = f"deployctl {self.provider} {sorted(self.options.items())}"
        with _one:
            if name not in _ready:
                _ready[name] = _started(name, self._made(), seconds)
        return _ready[name]

    def _made(self) -> Any:
        make = plugins.find(GROUP, self.provider)
        try:
            return make(**self.options)
        except (TypeError, ValueError, LookupError, OSError, RuntimeError) as error:
            told = f"{self.provider} cannot be made with its options: {printable(str(error))}"
            raise UsageError(told, advice="mend provider.openFeature.options") from error

    @property
    def _kept(self) -> Provider:
        if self.kept is None:
            raise UsageError(
                "an OpenFeature provider only evaluates flags",
                advice="say where the flags are kept: provider.openFeature.kept: {file: ...}",
            )
        return self.kept.provider


def _judged(found: list[Any]) -> Evaluated:
    """Take a value only where it is none of ours: what follows the default that it is asked with is no answer."""
    for one in found:
        if one.error_code:
            return None, printable(": ".join(filter(None, (one.error_code, one.error_message))))
        if str(one.reason or "") in NOT_NOW:
            return None, f"its reason is {one.reason}"
    first, second = (plain(one.value) for one in found)
    if first is None or not same(first, second):
        return None, "it gives back the default that it is asked with"
    return first, ""


def _started(name: str, made: Any, seconds: float) -> Any:
    """Hand a provider to the SDK under a name of its own, and wait until it is ready."""
    from openfeature import api
    from openfeature.event import ProviderEvent
    from openfeature.provider import ProviderStatus

    client, told = api.get_client(name), list[str]()
    hear = ProviderEvent.PROVIDER_ERROR, lambda details: told.append(str(details.message or ""))
    client.add_handler(*hear)
    api.set_provider(made, name)
    end = time.monotonic() + seconds
    while not told and time.monotonic() < end and client.get_provider_status() is not ProviderStatus.READY:
        time.sleep(POLL_SECONDS)  # why it is in error is told a moment after that it is
    client.remove_handler(*hear)
    status = client.get_provider_status()
    if status is not ProviderStatus.READY:
        raise DeployctlError(printable(f"it is {status}: {next(iter(told), 'it was not ready in time')}"))
    return client


def _within(seconds: float, ask: Callable[[], Evaluated]) -> Evaluated:
    answers: queue.Queue[Evaluated] = queue.Queue(1)
    threading.Thread(target=lambda: answers.put(ask()), name="OpenFeature", daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except queue.Empty:
        raise DeployctlError(f"no answer within {seconds:g}s") from None
