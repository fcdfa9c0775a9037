"""What `release --replace` does first: it turns the release that is in flight round, and sees stable back."""

from __future__ import annotations

from dataclasses import replace

from deployctl.cli.flags import Flags
from deployctl.cli.session import carry_out, drain_of, flags_of, outliving
from deployctl.cluster.api import Api
from deployctl.errors import Conflict
from deployctl.prepare import Prepared
from deployctl.record import Kept, Word
from deployctl.releases import ROLLBACK, Run, in_flight, turning
from deployctl.rollout import Orders, Story
from deployctl.spoken import because
from deployctl.template import digest
from strategies.model import Phase


def another(ready: Prepared) -> bool:
    """Say whether a release of another template is in flight."""
    return ready.memory is not None and ready.memory.preview != digest(ready.preview)


def make_way(flags: Flags, run: Run) -> int:
    """Bring stable back; give the exit code of that, which is 0 where the way is free."""
    run.story.note(f"another release is in flight, begun by {run.plan.memory.by}: stable comes back first")
    return carry_out(flags, run, back=True, last=False)


def way_back(api: Api, ready: Prepared, kept: Kept, heard: Story, said: Word) -> Run:
    """Take the release over at once, unless somebody brings stable back already: that is theirs while they live."""
    app, memory = ready.names.app, ready.memory
    if memory and memory.strategy == ROLLBACK:
        raise Conflict(
            f"a rollback of {app} is in flight, begun by {memory.by} at {memory.at}: --replace leaves it alone",
            advice=f"`deployctl status {app} -w` follows it; if its process died, `deployctl rollback {app}` ends it",
        )
    if memory and memory.phase == Phase.RETURNING.value:
        run = Run(api, in_flight(ready, None, kept.template), heard, Orders(), waiting=outliving(app))
    else:
        run = turning(api, ready, kept.template, heard, because(f"replaced by {said.by}", said.reason))
    run.word = said
    run.plan = replace(run.plan, drain=drain_of(kept), flags=flags_of(kept))
    return run
