"""Asks the code of Kubernetes for every case and writes its answers down: `python -m tests.sandbox.told.record`.

It needs Go, and builds for minutes: the packages are those that the test cluster is built of.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from deployctl.sandbox.objects.defaulting import defaulted
from deployctl.sandbox.resources import BY_NAME
from tests.cluster.bed.gomod import gomod, own_modules
from tests.sandbox.told import HERE, changed, difference, told

Json = dict[str, Any]
VERSION = "1.35.4"
NEVER = ("creationTimestamp", "uid", "generation")
PLAIN: dict[str, Json] = {}  # what each object becomes as it is; a file has that before its changes
CREATED = "2026-01-01T00:00:00Z"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        program = _built(Path(folder))
        for name, question, answer in (
            ("create", _create, _created),
            ("decode", _decode, _decoded),
            ("json_patch", _json_patch, _given),
            ("strategic_patch", _strategic, _merged),
            ("managed", _managed, _owned),
        ):
            cases = told(name)
            answers = _asked(program, [question(case) for case in cases])
            _write(name, [answer(case, said) for case, said in zip(cases, answers, strict=True)])


def _built(folder: Path) -> Path:
    shutil.copy(HERE / "main.go", folder)
    (folder / "go.mod").write_text(gomod(VERSION, own_modules(VERSION)))
    subprocess.run(["go", "mod", "tidy"], cwd=folder, check=True)
    subprocess.run(["go", "build", "-trimpath", "-o", "told", "."], cwd=folder, check=True)
    return folder / "told"


def _asked(program: Path, questions: list[Json]) -> list[Json]:
    done = subprocess.run([program], input=json.dumps(questions).encode(), capture_output=True, check=True)
    return json.loads(done.stdout)


def _write(name: str, cases: list[Json]) -> None:
    lines = ",\n".join(json.dumps(case, separators=(",", ":"), ensure_ascii=False) for case in cases)
    (HERE / f"{name}.json").write_text(f"[\n{lines}\n]\n")


def _about(case: Json, op: str) -> Json:
    known = BY_NAME[case.get("resource", "pods")]
    namespace = "default" if known.namespaced else ""
    where = {"Resource": known.name, "Group": known.group, "Version": known.version, "Namespace": namespace}
    return {"Op": op, **where}


def _object(case: Json) -> Json:
    return changed(told("objects")[case["resource"]], case["change"])


def _create(case: Json) -> Json:
    return {**_about(case, "create"), "Object": _object(case)}


def _created(case: Json, said: Json) -> Json:
    asked = {key: case[key] for key in ("resource", "change")}
    if "status" in said:
        causes = [cause["reason"] for cause in said["status"]["details"]["causes"]]
        return {**asked, "says": said["status"]["message"], "causes": causes}
    made = _plain(said["object"])
    if "name" not in _object(case)["metadata"]:
        made["metadata"].pop("name", None)
    if not case["change"]:
        PLAIN[case["resource"]] = made
        return {**asked, "becomes": made}
    return {**asked, "becomes": difference(PLAIN[case["resource"]], made)}


def _plain(one: Json) -> Json:
    kept = {key: value for key, value in one.items() if key != "status"}
    kept["metadata"] = {key: value for key, value in one["metadata"].items() if key not in NEVER}
    return kept


def _decode(case: Json) -> Json:
    return {**_about(case, "decode"), "Object": _object(case), "Strict": case["strict"]}


def _decoded(case: Json, said: Json) -> Json:
    return {**case, "says": said.get("error")}


def _json_patch(case: Json) -> Json:
    return {**_about(case, "jsonpatch"), "Before": told("document"), "Patch": case["patch"]}


def _given(case: Json, said: Json) -> Json:
    return {**case, "gives": said.get("object")}


def _strategic(case: Json) -> Json:
    return {
        **_about(case, "strategic"),
        "Before": told("held")[case["resource"]],
        "Patch": case["patch"],
    }


def _merged(case: Json, said: Json) -> Json:
    asked = {key: case[key] for key in ("resource", "patch")}
    if "error" in said:
        return {**asked, "says": said["error"]}
    return {**asked, "gives": difference(told("held")[case["resource"]], said["object"])}


def _managed(case: Json) -> Json:
    who = {"Manager": case["manager"], "Subresource": case["subresource"]}
    before, after = made(case)
    return {**_about(case, "managed"), **who, "Before": before, "Object": defaulted(case["resource"], after)}


def made(case: Json) -> tuple[Json | None, Json]:
    """Give the object before a write and after it; of a new one there is none before."""
    if not case.get("before"):
        one = told("objects")[case["resource"]]
        return None, {**one, "metadata": {**one["metadata"], "creationTimestamp": CREATED}}
    first = next(it for it in told("managed") if it["resource"] == case["resource"] and not it.get("before"))
    held = told("made")[case["resource"]]
    fields = [{**entry, "time": CREATED} for entry in first["managed"]]
    before = {**held, "metadata": {**held["metadata"], "managedFields": fields}}
    return before, changed(before, case["change"])


def _owned(case: Json, said: Json) -> Json:
    entries = said.get("managed") or []
    return {**case, "managed": [{k: v for k, v in entry.items() if k != "time"} for entry in entries]}


if __name__ == "__main__":
    main()
