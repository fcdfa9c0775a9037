"""The keys of the live view: each asks once more, and becomes the request that its command makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from deployctl.cli.flags import Flags
from deployctl.cli.keyboard import Keyboard, person
from deployctl.errors import DeployctlError
from deployctl.gates.stage import Stages
from deployctl.observe import Snapshot
from deployctl.releases import Run
from deployctl.render.live import Live
from strategies.model import Action, Observed, Phase, Step, Wait

BY_KEY = "by key"
VERBS = {"p": "promote", "f": "finish", "a": "abort", " ": "pause", "q": "leave"}
SHOWN = {" ": "space"}
QUESTIONS = {
    "promote": "promote {app}: let the preview have the traffic?",
    "finish": "finish {app}: retire the old side now?",
    "abort": "abort {app}: turn round, back to stable?",
    "pause": "pause {app} at the next safe point?",
    "leave": "leave {app} as it stands, until somebody resumes it?",
    "arm": "leave {app}? Kubernetes retires the old side by itself",
}


class Asked(BaseException):
    """A person asked by key for what ends this run; it is no error."""

    def __init__(self, verb: str) -> None:
        super().__init__(verb)
        self.verb = verb


def offered(seen: Observed, step: Step) -> Mapping[str, str]:
    """Name the keys that mean something now, with what each does."""
    match seen.phase:
        case Phase.TRYING:
            keys = "pa q"
        case Phase.PROMOTING:
            keys = "fa q" if _keeps(step) else "a q"
        case Phase.FINISHING:
            keys = "aq"
        case _:
            keys = "q"
    verbs = {one: VERBS[one] for one in keys}
    return verbs | ({"q": "arm"} if _keeps(step) else {})


def _keeps(step: Step) -> bool:
    return isinstance(step, Wait) and step.key == "keepOld"


@dataclass
class Keys:
    """What was pressed: a key asks its question, and y right after it says yes."""

    app: str
    asked: str = ""

    def press(self, key: str, may: Mapping[str, str]) -> str:
        """Give the verb that is wanted and was said yes to; anything but y is no."""
        before, self.asked = self.asked, ""
        if not before:
            self.asked = may.get(key, "")
            return ""
        return before if key in {"y", "Y"} and before in may.values() else ""

    def row(self, may: Mapping[str, str]) -> str:
        """Give the line that says what can be pressed."""
        if self.asked:
            return f"y/n  {QUESTIONS[self.asked].format(app=self.app)}"  # what is asked for is never cut off
        names = ((SHOWN.get(key, key), "leave" if verb == "arm" else verb) for key, verb in may.items())
        return ", ".join(f"{key} {verb}" for key, verb in names)


class Keyed:
    """Tells the story to a live view, and hears its keys between two turns."""

    def __init__(self, run: Run, live: Live, keyboard: Keyboard) -> None:
        self._run, self._live, self._keyboard = run, live, keyboard
        self._keys = Keys(run.plan.names.app)

    def turn(self, look: Snapshot, seen: Observed, step: Step, stages: Stages) -> None:
        """Take one key a turn, so that a question is seen before its answer counts."""
        self._keyboard.rings(stages.wake)
        may = offered(seen, step)
        verb = self._keys.press(key, may) if (key := self._keyboard.key()) else ""
        self._live.foot = self._keys.row(may)
        self._live.turn(look, seen, step, stages)
        if verb:
            self._carry_out(verb)

    def did(self, action: Action, seen: Observed) -> None:
        self._live.did(action, seen)

    def note(self, text: str) -> None:
        self._live.note(text)

    def close(self) -> None:
        self._live.close()

    def _carry_out(self, verb: str) -> None:
        if verb in {"abort", "leave"}:
            raise Asked(verb)
        if verb == "arm":
            return self._run.until_promoted()
        from deployctl.cli.session import word
        from deployctl.cli.steering import leave

        try:
            leave(self._run.api, self._run.plan.names, self._run.plan.memory.id, verb, word(verb, BY_KEY))
        except DeployctlError as error:
            self.note(f"{verb} was not heard: {error}")
        return None


@contextmanager
def keyed(flags: Flags, run: Run, *, back: bool) -> Iterator[None]:
    """Give the live view of a release its keys, where a person may press them."""
    live, terminal = run.story, person()
    if terminal is None or back or flags.no_input or not isinstance(live, Live):
        yield
        return
    with Keyboard(terminal) as keyboard:
        run.story = Keyed(run, live, keyboard)
        yield


def aborted(flags: Flags, run: Run) -> int:
    """Do what `deployctl abort` does, now that this run has let go of the lock; a release did not get there."""
    from deployctl.cli.session import word
    from deployctl.cli.steering import located, turn_back

    here = replace(flags, namespace=run.plan.names.namespace)
    code = turn_back(here, located(here, run.plan.names.app), word("abort", BY_KEY), fast=False)
    return code or 3
