"""The bodies of `flag get`, `flag set` and `flag list`, and what they share with the others."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from deployctl.cli.flags import Flags
from deployctl.cli.releasing import allowed
from deployctl.cli.session import show, subject
from deployctl.cluster.api import Api
from deployctl.cluster.asking import asked
from deployctl.errors import UsageError
from deployctl.flags import Reading, Setting
from deployctl.flags.values import parsed, pinned, said, same, shown
from deployctl.gates import About
from deployctl.gates import Asked as Means
from deployctl.releases import holder
from deployctl.render.status import table
from deployctl.spec import App
from deployctl.spec import Flags as FlagsOfApp
from deployctl.spoken import because, harmless, heard

Json = dict[str, Any]
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Asked:
    """The flags of `flag set` as they were given."""

    reason: str
    yes: bool


def get(flags: Flags, name: str, key: str) -> int:
    """Print a flag; give the exit code."""
    api, found = subject(flags, name)
    of, means = provider_of(found.app), reach(api, found.app)
    setting = of.provider.options.setting(key, means)
    _show(flags, found.app, setting, read(of, key, means))
    return 0


def put(flags: Flags, name: str, key: str, value: str, ask: Asked) -> int:
    """Set a flag and wait until it has spread; give the exit code."""
    api, found = subject(flags, name)
    of, means = provider_of(found.app), reach(api, found.app)
    seen = of.provider.options.setting(key, means)
    if seen.locked:
        raise UsageError(f"flag {key} cannot be set: {seen.locked}", advice="set it where it is kept")
    allowed(flags, api, f"set flag {key} of {found.app.name} to {value}", yes=ask.yes)
    now = _written(of, seen, value, because(f"set by {holder()}", heard(ask.reason)), means)
    readings = _spread(of, now, means)
    _show(flags, found.app, now, readings)
    return 0 if everywhere(now, readings) else 3


def every(flags: Flags, name: str) -> int:
    """Print every flag that the provider keeps; give the exit code."""
    api, found = subject(flags, name)
    settings: tuple[Setting, ...] = provider_of(found.app).provider.options.settings(reach(api, found.app))
    whole: Json = {
        "apiVersion": "deployctl.dev/v1alpha1",
        "kind": "FlagList",
        "app": found.app.name,
        "items": [
            {"key": one.key, "value": one.value, "share": one.rollout, "locked": one.locked}
            for one in settings
        ],
    }
    rows = [("FLAG", "SET TO", ""), *((one.key, said(one), _noted(one)) for one in settings)]
    text = (
        "\n".join(map(harmless, table(rows))) if settings else f"{found.app.name}: its provider has no flags"
    )
    show(flags, whole, text, "\n".join(f"flag/{one.key}" for one in settings))
    return 0


def _noted(one: Setting) -> str:
    return f"cannot be set: {one.locked}" if one.locked else ""


def provider_of(app: App) -> FlagsOfApp:
    if app.spec.flags is None:
        raise UsageError(f"{app.name} names no provider of flags", advice="add spec.flags.provider")
    return app.spec.flags


def reach(api: Api, app: App) -> Means:
    about = About(app.name, api.namespace)
    return asked(api, about, (), {}, app.spec.gates, app.spec.flags)


def _written(of: FlagsOfApp, seen: Setting, value: str, reason: str, means: Means) -> Setting:
    share = value.removesuffix("%")
    if share != value and share.isdecimal():
        done: Setting = of.provider.options.roll_out(seen, int(share), reason, means)
    else:
        done = of.provider.options.set(seen, parsed(value), reason, means)
    return done


def read(of: FlagsOfApp, key: str, means: Means) -> tuple[Reading, ...]:
    context = pinned(of.context.key, of.context.fields, means.about)
    found: tuple[Reading, ...] = of.provider.options.read(key, context, means)
    return found


def _spread(of: FlagsOfApp, now: Setting, means: Means) -> tuple[Reading, ...]:
    """Read until every endpoint has it, or the time that takes is over."""
    end = time.monotonic() + of.provider.options.spread_seconds
    while not everywhere(now, readings := read(of, now.key, means)) and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    return readings


def everywhere(now: Setting, readings: tuple[Reading, ...]) -> bool:
    """Say whether every endpoint has a value; of a share each user has his own."""
    return all(one.value is not None and (now.rollout or same(one.value, now.value)) for one in readings)


def _show(flags: Flags, app: App, setting: Setting, readings: tuple[Reading, ...]) -> None:
    whole: Json = {
        "apiVersion": "deployctl.dev/v1alpha1",
        "kind": "Flag",
        "app": app.name,
        "key": setting.key,
        "value": setting.value,
        "share": setting.rollout,
        "locked": setting.locked,
        "endpoints": [{"endpoint": one.endpoint, "value": one.value, "why": one.why} for one in readings],
    }
    lines = [f"{setting.key}: {said(setting)}{_locked(setting)}"]
    lines += [
        f"  {shown(one.value)} at {one.endpoint}" + (f": {one.why}" if one.why else "") for one in readings
    ]
    show(flags, whole, "\n".join(lines), f"flag/{setting.key}")


def _locked(setting: Setting) -> str:
    return f", and cannot be set: {setting.locked}" if setting.locked else ""
