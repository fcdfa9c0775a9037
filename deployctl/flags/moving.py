"""Moves the flags of a release: forward before a stage's gates are asked, back before the traffic is.

A move reads what is there, writes the intent into the record, writes the flag over what was read, and reads back at
every endpoint. On the way back each flag has a thread of its own: nobody waits for it longer than the bound.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import msgspec

from deployctl.errors import DeployctlError, Refused, UsageError
from deployctl.flags import Context, Reading, Setting, Value
from deployctl.flags.values import pinned, same
from deployctl.formats import Flagged
from deployctl.gates import Asked
from deployctl.record import now
from deployctl.shapes import Chosen
from deployctl.spec import Flags, Gate
from strategies.analysis import Answer, Measurement
from strategies.flags import Back, State, back, foreign
from strategies.model import Stage

CALL_SECONDS = 5.0
POLL_SECONDS = 0.2
RETRY_SECONDS = 1.0
WATCH_SECONDS = 10.0
MOST_TRIED = 8  # states that a write may have left without our hearing of it
MOST_WAS_BYTES = 8 * 1024  # of a whole setting that the record keeps


def state_of(one: Setting) -> State:
    """Say what a flag is set to; a share of none or all is false or true."""
    return State(one.value, one.rollout).plain


class Stayed(DeployctlError):
    """A flag is not moved, for somebody else has set it."""


@dataclass
class Mover:
    """The flags of one run; `made` is what the release has set so far, as the record has it."""

    app: str
    flags: Flags
    keep: Callable[[tuple[Flagged, ...]], None]
    by: str = ""
    reason: str = ""
    made: dict[str, Flagged] = field(default_factory=dict)
    known: bool = True  # whether the record could be read

    def __post_init__(self) -> None:
        self.moves = self.flags.moves
        self._provider = self.flags.provider.options
        self._stop, self._turned = threading.Event(), threading.Event()
        self._one = threading.Lock()
        self._began = self._looked = 0.0
        self._closing: float | None = None
        self._share = 100
        self._off: dict[str, str] = {}
        self._beside: threading.Thread | None = None
        self._settled: set[str] = set()
        self._errors: dict[str, str] = {}
        self._notes: list[str] = []
        self._told: set[str] = set()

    def begin(self, asked: Callable[[], Asked], wake: Callable[[], None], clock: Callable[[], float]) -> None:
        """Take what a run gives: what may be asked, what wakes its loop, and its clock."""
        self.asked, self.wake, self.clock = asked, wake, clock
        self._looked = clock()

    # -- forward

    def gate(self, stage: Stage, share: int) -> Gate | None:
        """Give what moves the flags of a stage, as the gate that is asked before all others of it."""
        if self._turned.is_set() or (stage not in self.moves.stages and not self.flags.expect):
            return None
        spans = self._provider.spread_seconds + self.flags.bake_seconds
        most = CALL_SECONDS * (1 + len(self.moves.keys) + len(self.flags.expect)) + spans
        return Gate(name="flags", ask=Chosen("flags", Moving(self, stage, share)), timeout_seconds=most)

    def advance(self, stage: Stage, share: int) -> Measurement:
        """Make the moves of a stage and see them everywhere; done twice it changes nothing."""
        if not self._one.acquire(blocking=False):
            return Measurement(Answer.UNKNOWN, "the flags are still being moved")
        try:
            return self._advanced(stage, share)
        except DeployctlError as error:
            return Measurement(Answer.UNKNOWN, str(error))
        finally:
            self._one.release()

    def _advanced(self, stage: Stage, share: int) -> Measurement:
        due = self.moves.due(stage, min(share, self._share))
        if no := self._unexpected(due):
            return no
        wrote = [self._moved(key, state) for key, state in due.items()]
        wanted = {**self._standing(), **{key: state for key, state in due.items() if key not in self._told}}
        if any(wrote):
            self._seen_everywhere(wanted)
            self._stop.wait(self.flags.bake_seconds)
        self._seen_everywhere(wanted)
        said = ", ".join(f"{key} {state}" for key, state in wanted.items())
        return Measurement(Answer.PASS, f"everywhere as it is to be: {said or 'nothing is moved'}")

    def _unexpected(self, due: Mapping[str, State]) -> Measurement | None:
        """Say no where a flag that was not moved yet is not as the spec expects it."""
        for key, value in self.flags.expect.items():
            if key in self.made:
                continue
            for one in self._read(key):
                if one.value is None:
                    return Measurement(Answer.UNKNOWN, _silent(key, one))
                if not same(one.value, value) and State(one.value) != due.get(key):
                    told = f"flag {key} is {State(one.value)} at {one.endpoint}, expected {State(value)}"
                    return Measurement(Answer.FAIL, told)
        return None

    def _standing(self) -> dict[str, State]:
        """Say what flags have to be that are expected and were moved before this stage."""
        return {key: self.made[key].ours[-1] for key in self.flags.expect if key in self.made}

    def _moved(self, key: str, wanted: State) -> bool:
        """Move one flag, unless it is there already or somebody else has set it since; say whether it was written."""
        seen = self._provider.setting(key, self._asked())
        state, entry = state_of(seen), self.made.get(key)
        if entry and self._drifted(entry, state):
            return False
        if state == wanted:
            return False
        self._write(seen, entry or self._first(key, seen), wanted)
        return True

    def _drifted(self, entry: Flagged, state: State) -> bool:
        """Tell once of a flag that somebody else has set; one whose write was not made is as it was before."""
        if not foreign(state, entry.before, entry.ours) or (state == entry.before and not entry.done):
            return False
        self._tell(entry.key, f"flag {entry.key} was set to {state} by somebody else: it is left as it is")
        return True

    def _first(self, key: str, seen: Setting) -> Flagged:
        was = dict(seen.was or {})
        kept = was if len(msgspec.json.encode(was)) <= MOST_WAS_BYTES else {}
        return Flagged(key, before=state_of(seen), was=kept, rollout=seen.rollout)

    def _write(self, seen: Setting, entry: Flagged, wanted: State) -> None:
        """Write one flag: the intent first, then the flag, then that it was done."""
        may_be = entry.ours[-1:] if entry.done else entry.ours[-MOST_TRIED:]
        ours = (*(one for one in may_be if one != wanted), wanted)
        meant = msgspec.structs.replace(entry, ours=ours, by=self.by, at=now(), done=False)
        self._keep(meant)
        if self._turned.is_set():
            raise Stayed(f"flag {seen.key} is not moved: the release goes back")
        self._set(seen, wanted)
        self._keep(msgspec.structs.replace(meant, done=True))

    def _set(self, seen: Setting, wanted: State) -> None:
        asked = self._asked()
        follows = seen.key in self.moves.following and not self._turned.is_set()
        if wanted.percent or (follows and isinstance(wanted.value, bool)):
            share = wanted.value if wanted.percent else 100 * bool(wanted.value)
            self._provider.roll_out(seen, int(share or 0), self.reason, asked)
        else:
            self._provider.set(seen, wanted.value, self.reason, asked)

    def _keep(self, entry: Flagged) -> None:
        self.made[entry.key] = entry
        self.keep((entry,))

    def _seen_everywhere(self, wanted: Mapping[str, State]) -> None:
        """Wait until every endpoint evaluates the flags so; raise where it has not spread in its time."""
        end = time.monotonic() + self._provider.spread_seconds
        while (late := self._late(wanted)) and time.monotonic() < end and not self._stop.is_set():
            self._stop.wait(POLL_SECONDS)
        if late:
            raise DeployctlError(late)

    def _late(self, wanted: Mapping[str, State]) -> str:
        """Name the first endpoint that does not evaluate a flag as it is set; of a share each has its own answer."""
        for key, state in wanted.items():
            for one in self._read(key):
                if one.value is None:
                    return _silent(key, one)
                if not state.percent and not same(one.value, state.value):
                    return f"flag {key} is {State(one.value)} at {one.endpoint}, and is to be {state}"
        return ""

    def _read(self, key: str) -> tuple[Reading, ...]:
        asked = self._asked()
        context: Context = pinned(self.flags.context.key, self.flags.context.fields, asked.about)
        found: tuple[Reading, ...] = self._provider.read(key, context, asked)
        return found or (Reading("the provider", None, "it has no endpoint"),)

    def _asked(self, seconds: float = CALL_SECONDS) -> Asked:
        return replace(self.asked(), timeout_seconds=seconds)

    def _tell(self, key: str, text: str) -> None:
        if key not in self._told:
            self._told.add(key)
            self._notes.append(text)

    def notes(self) -> tuple[str, ...]:
        """Give what is to be told and was not yet."""
        told, self._notes = tuple(self._notes), []
        return told

    # -- beside

    def watch(self, share: int, *, rising: bool = False) -> None:
        """Look after the flags in a thread: those that follow, at once; whether somebody else set one, now and then."""
        self._share = share
        if self._beside and self._beside.is_alive():
            return
        apart = tuple(key for key in self.moves.following if self._apart(key, share, rising=rising))
        if apart:
            self._aside(lambda: self._follow(apart, share))
        elif self.clock() - self._looked >= WATCH_SECONDS and (self.made or self.flags.expect):
            self._looked = self.clock()
            self._aside(self._look_after)

    def _aside(self, work: Callable[[], None]) -> None:
        self._beside = threading.Thread(target=self._done, args=(work,), name="flag watch", daemon=True)
        self._beside.start()

    def _done(self, work: Callable[[], None]) -> None:
        with self._one:
            try:
                work()
            except DeployctlError as error:
                self._errors["watch"] = str(error)
        self.wake()

    def _apart(self, key: str, share: int, *, rising: bool) -> bool:
        entry = self.made.get(key)
        if entry is None or key in self._told:
            return False
        last = entry.ours[-1]
        percent = float(last.value or 0) if last.percent else 100.0 * bool(last.value)
        return percent > share or (rising and percent < share) or not entry.done

    def _follow(self, keys: tuple[str, ...], share: int) -> None:
        for key in keys:
            self._moved(key, State(share, percent=True).plain)

    def _look_after(self) -> None:
        """Name the flags that somebody else set since, and those that are not as the spec expects."""
        self._off = {}
        for key, entry in list(self.made.items()):
            state = state_of(self._provider.setting(key, self._asked()))
            if self._drifted(entry, state) and key in self.flags.expect:
                self._off[key] = f"flag {key} is {state}, and this release set it to {entry.ours[-1]}"
        if no := self._unexpected({}):
            self._off[""] = no.evidence
            self._tell("", f"{no.evidence}: somebody has set it")

    def off(self) -> str:
        """Say which expected flag is not as it is to be."""
        return next(iter(self._off.values()), "")

    def lag_seconds(self) -> float:
        """Say how long the last write still waits for flags that follow: no longer than the bound."""
        if not self._behind():
            return 0.0
        self._closing = self.clock() if self._closing is None else self._closing
        return max(0.0, self._closing + self.flags.bound_seconds - self.clock())

    def _behind(self) -> tuple[str, ...]:
        return tuple(key for key in self.moves.following if self._apart(key, 100, rising=True))

    # -- back

    def turn_back(self) -> None:
        """Begin the way back, once: each flag in a thread of its own, tried again until the run is over."""
        if self._turned.is_set():
            return
        self._turned.set()
        self._began = self.clock()
        if not self.known:
            self._notes.append("what the flags were before is not known: only those of onRollback are set")
        for key in self._going_back:
            self._errors[key] = "no answer yet"
            self._again(partial(self._back, key), f"flag {key}")

    def _again(self, work: Callable[[], None], name: str) -> None:
        """Do something in a thread of its own, once a second until the run is over."""

        def repeat() -> None:
            while not self._stop.is_set():
                work()
                self._stop.wait(RETRY_SECONDS)

        threading.Thread(target=repeat, name=name, daemon=True).start()

    @property
    def _going_back(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.moves.on_rollback, *self.made)))

    def left_seconds(self) -> float:
        """Say how long the traffic still waits for the flags: until all are back, and no longer than the bound."""
        if not self._turned.is_set() or self._settled.issuperset(self._going_back):
            return 0.0
        return max(0.0, self._began + self.flags.bound_seconds - self.clock())

    def _back(self, key: str) -> None:
        """Put one flag back; done again, for a write of ours that was still on its way may arrive late."""
        try:
            self._put_back(key)
            self._errors.pop(key, None)
            self._settled.add(key)
        except DeployctlError as error:
            self._settled.discard(key)
            self._errors[key] = str(error)
        threading.current_thread().name = f"flag {key}" if key in self._errors else f"settled flag {key}"
        self.wake()

    def _put_back(self, key: str) -> None:
        asked = self._asked(max(0.5, min(CALL_SECONDS, self.flags.bound_seconds)))
        seen, entry = self._provider.setting(key, asked), self.made.get(key)
        state = state_of(seen)
        wanted = State(self.moves.on_rollback[key]) if key in self.moves.on_rollback else None
        before, ours = (entry.before, entry.ours) if entry else (state, ())
        match back(state, before, ours, wanted):
            case Back.SET:
                self._set(seen, wanted or before)
                self._went_back(key, entry, wanted or before)
            case Back.RESTORE:
                self._restored(seen, entry, asked)
                self._went_back(key, entry, before)
            case Back.LEAVE:
                self._tell(key, f"flag {key} was set to {state} by somebody else: it is left as it is")
                return
            case Back.NOTHING:
                pass
        self._seen_back(key, wanted or before)

    def _restored(self, seen: Setting, entry: Flagged | None, asked: Asked) -> None:
        if entry is None:
            return
        if entry.was:
            was = Setting(entry.key, entry.before.value, rollout=entry.rollout, was=entry.was)
            self._provider.restore(seen, was, self.reason, asked)
        elif entry.before.value is None:
            raise DeployctlError("its rules were too long for the record")
        else:
            self._set(seen, entry.before)

    def _went_back(self, key: str, entry: Flagged | None, state: State) -> None:
        """Tell, and write it down where the record can be written: the flag does not wait for that."""
        self._notes.append(f"flag {key} is {state} again" if entry else f"flag {key} is set to {state}")
        if entry is None:
            return
        try:
            self.keep((msgspec.structs.replace(entry, back=str(state)),))
        except DeployctlError as error:
            self._notes.append(f"the record could not be written: {error}")

    def _seen_back(self, key: str, state: State) -> None:
        if state.value is not None and (late := self._late({key: state})):
            raise DeployctlError(late)

    def left(self) -> tuple[str, ...]:
        """Name each flag that is not back, with the command that puts it back."""
        return tuple(self._command(key) for key in self._going_back if key not in self._settled)

    def _command(self, key: str) -> str:
        entry, wanted = self.made.get(key), self.moves.on_rollback.get(key)
        value: Value | None = wanted if wanted is not None else entry.before.value if entry else None
        why = f"flag {key} may still be on: {self._errors.get(key) or 'it was not asked'}"
        if value is None:
            return f"{why}; put it back to {entry.before if entry else 'what it was'} where it is kept"
        return f"{why}; deployctl flag set {self.app} {key} {entry.before if wanted is None and entry else State(value)}"

    def close(self, patience_seconds: float = 0.0) -> tuple[str, ...]:
        """End every thread, after as much patience with those on the way back; give what could not be done."""
        end = time.monotonic() + patience_seconds
        while self._turned.is_set() and self.left() and time.monotonic() < end:
            self._stop.wait(POLL_SECONDS / 4)
        self._stop.set()
        if self._turned.is_set():
            return self.left()
        late = self._behind() if self._closing is not None else ()
        return tuple(
            f"flag {key} has not followed to 100%; deployctl flag set {self.app} {key} true" for key in late
        )


@dataclass(frozen=True)
class Moving:
    """The moves of one stage, asked as a gate is."""

    mover: Mover
    stage: Stage
    share: int

    def measure(self, asked: Asked) -> Measurement:
        del asked
        return self.mover.advance(self.stage, self.share)

    @property
    def pod_wise(self) -> bool:
        return False


def _silent(key: str, one: Reading) -> str:
    return f"flag {key} has no value at {one.endpoint}: {one.why}"


def check(flags: Flags | None, asked: Asked) -> None:
    """Raise where a release could not move its flags: before anything is touched."""
    if flags is None or not (flags.moves.keys or flags.expect):
        return
    provider: Any = flags.provider.options
    for key in flags.moves.keys:
        seen = provider.setting(key, asked)
        if seen.locked:
            raise Refused(f"flag {key} cannot be set: {seen.locked}", advice="nothing was touched")
        if key in flags.moves.following and not _alike(seen.value, wanted=True, rollout=seen.rollout):
            raise UsageError(f"flag {key} is {State(seen.value)}: only a flag that is on or off has a share")
        for moves in (flags.moves.before, flags.moves.after, flags.moves.on_rollback):
            if key in moves and not _alike(seen.value, moves[key], rollout=seen.rollout):
                was, be = State(seen.value), State(moves[key])
                raise UsageError(f"flag {key} is {was}, which is another type than {be}")
    context: Context = pinned(flags.context.key, flags.context.fields, asked.about)
    for key in flags.expect:
        if silent := next((one for one in provider.read(key, context, asked) if one.value is None), None):
            raise DeployctlError(
                _silent(key, silent), advice="nothing was touched; mend it, or the spec's flags"
            )


def _alike(was: Value | None, wanted: Value, *, rollout: bool) -> bool:
    if was is None:
        return True
    if rollout or isinstance(was, bool):
        return isinstance(wanted, bool)
    return isinstance(was, str) == isinstance(wanted, str) and not isinstance(wanted, bool)
