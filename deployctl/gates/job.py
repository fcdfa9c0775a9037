"""The job gate runs a command on this machine, or a Job in the cluster, and judges by how it ended."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from deployctl.errors import DeployctlError
from deployctl.foreign import printable
from deployctl.gates import Asked
from deployctl.gates.credential import Revealed, Variable
from deployctl.gates.fetch import cut
from deployctl.object_names import object_name
from strategies.analysis import Answer, Measurement

Json = dict[str, Any]
ALLOWED = "DEPLOYCTL_ALLOW_COMMANDS"
NO_ANSWER = 75  # EX_TEMPFAIL of sysexits.h: try again
MOST_BYTES = 4096  # of what a command says, its end
POLL_SECONDS = 0.5
BATCH = "/apis/batch/v1"

Word = Annotated[str, Meta(min_length=1)]
Argv = Annotated[tuple[Word, ...], Meta(extra={"expected": "a list that begins with the path of a program"})]
ObjectName = Annotated[str, object_name("the name of a CronJob", most=52)]


@dataclass(frozen=True)
class Job:
    """Run a command where deployctl runs, or a Job made of a CronJob's template, and judge by how it ended.

    command: the program by its whole path, and its arguments; no shell, a clean environment, its own process group
    env: names of variables that the command may see besides PATH, LANG and what is released
    cronJob: in the app's namespace, suspended as a rule; each measurement runs it once and deletes what it made
    """

    RIGHTS: ClassVar = (
        "command: DEPLOYCTL_ALLOW_COMMANDS=1 in the environment of deployctl; nothing in the cluster",
        "cronJob: get cronjobs; create, get and delete jobs",
    )
    UNKNOWNS: ClassVar = (
        "commands are not allowed on this machine, the program is not there, it was killed, it ended with 75",
        "no end within the gate's timeout; what ran is ended then",
    )
    pod_wise: ClassVar = False

    command: Argv = ()
    env: tuple[Variable, ...] = ()
    cron_job: ObjectName | None = None

    def __post_init__(self) -> None:
        if bool(self.command) == bool(self.cron_job):
            raise ValueError("expected exactly one of command and cronJob")
        if self.command and not self.command[0].startswith("/"):
            raise ValueError(
                f"command: {self.command[0]} is no whole path; expected one such as /opt/smoke/run"
            )

    def measure(self, asked: Asked) -> Measurement:
        """Run once to the end, or to the end of the gate's time."""
        try:
            return self._in_cluster(asked, self.cron_job) if self.cron_job else self._here(asked)
        except DeployctlError as error:
            return Measurement(Answer.UNKNOWN, str(error))

    def _here(self, asked: Asked) -> Measurement:
        name = Path(self.command[0]).name
        if os.environ.get(ALLOWED) != "1":
            raise DeployctlError(f"{name} was not run: commands run only where {ALLOWED}=1 is set")
        code, said = _run(self.command, self._environment(asked), asked.timeout_seconds)
        words = cut(self._scrubbed(said.strip().rpartition("\n")[2]))
        told = f"{name} ended with {code}" + (f": {words}" if words else "")
        answers = {0: Answer.PASS, NO_ANSWER: Answer.UNKNOWN}
        return Measurement(Answer.UNKNOWN if code < 0 else answers.get(code, Answer.FAIL), told)

    def _environment(self, asked: Asked) -> dict[str, str]:
        about = asked.about
        ours = {
            "APP": about.app,
            "NAMESPACE": about.namespace,
            "STABLE": about.stable,
            "PREVIEW": about.preview,
        }
        clean = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        passed = {name: os.environ[name] for name in self.env if name in os.environ}
        return {**clean, **{f"DEPLOYCTL_{key}": value for key, value in ours.items()}, **passed}

    def _scrubbed(self, text: str) -> str:
        """Take what was passed on out of what the command said."""
        for name in self.env:
            text = Revealed(os.environ.get(name, "")).scrub(text)
        return printable(text)

    def _in_cluster(self, asked: Asked, cron_job: str) -> Measurement:
        jobs = f"{BATCH}/namespaces/{asked.about.namespace}/jobs"
        source = asked.cluster.get(f"{BATCH}/namespaces/{asked.about.namespace}/cronjobs/{cron_job}")
        made = asked.cluster.post(jobs, _job(source, asked))
        where = f"{jobs}/{made['metadata']['name']}"
        try:
            return _awaited(lambda: asked.cluster.get(where), made["metadata"]["name"], asked.timeout_seconds)
        finally:
            asked.cluster.delete(where)


def _run(command: tuple[str, ...], environment: dict[str, str], seconds: float) -> tuple[int, str]:
    """Run a program to its end; when its time is over, end it and all that it started."""
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise DeployctlError(f"{command[0]}: {error.strerror}") from error
    tail = _Tail(process)
    with process:
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            raise DeployctlError(f"{Path(command[0]).name} did not end within {seconds:g}s") from None
        tail.join(0.2)
        _end(process)  # what it left in the background would keep the pipe open
    return code, tail.text


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group; one that has ended leaves its group, if any, to be ended."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


class _Tail(threading.Thread):
    """Reads what a process says, and keeps its end."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(name="what a command says", daemon=True)
        self._process, self._kept = process, b""
        self.start()

    def run(self) -> None:
        """Read to the end; the file is closed under it when that does not come."""
        while self._process.stdout and (more := self._process.stdout.read1(65536)):  # type: ignore[attr-defined]
            self._kept = (self._kept + more)[-MOST_BYTES:]

    @property
    def text(self) -> str:
        return self._kept.decode(errors="replace")


def _job(source: Json, asked: Asked) -> Json:
    """Make a Job of a CronJob's template, as `kubectl create job --from` does."""
    template = source["spec"]["jobTemplate"]
    labels = {**(template.get("metadata", {}).get("labels") or {}), "deployctl.dev/gate": asked.about.app}
    name = f"{source['metadata']['name'][:52]}-{secrets.token_hex(4)}"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {"deployctl.dev/preview": asked.about.preview},
        },
        "spec": {"backoffLimit": 0, **template["spec"], "ttlSecondsAfterFinished": 600},
    }


def _awaited(look: Callable[[], Json], name: str, seconds: float) -> Measurement:
    """Wait for a Job's end; a failed one is a no, one that never ends no answer."""
    end = time.monotonic() + seconds
    while True:
        done = _ended(look().get("status") or {})
        if done:
            answer = Answer.PASS if done["type"] == "Complete" else Answer.FAIL
            why = ": ".join(part for part in (done.get("reason", ""), cut(done.get("message", ""))) if part)
            return Measurement(answer, f"Job {name}: {done['type']}" + (f" ({why})" if why else ""))
        if time.monotonic() + POLL_SECONDS > end:
            return Measurement(Answer.UNKNOWN, f"Job {name} did not end within {seconds:g}s")
        time.sleep(POLL_SECONDS)


def _ended(status: Json) -> Json | None:
    ends = (one for one in status.get("conditions") or [] if one["type"] in ("Complete", "Failed"))
    return next((one for one in ends if one["status"] == "True"), None)
