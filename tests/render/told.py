"""Events of small releases as they were told, word for word."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]
BEGAN = 1777888800.0  # 2026-05-04T10:00:00Z
OLD, NEW = "5f94844648", "7f9c4d6b88"


def events(text: str) -> list[Json]:
    """Read one event a line: `seconds {its own fields}`; the head that all have is put before them."""
    found = []
    for seq, line in enumerate(text.strip().splitlines(), 1):
        seconds, _, own = line.partition(" ")
        head = {"v": 1, "ts": f"2026-05-04T10:00:{float(seconds):06.3f}Z", "seq": seq, "app": "wallet"}
        found.append({**head, **json.loads(own)})
    return found


def pods(old: tuple[int, int, int], new: tuple[int, int, int], share: int) -> str:
    """Write a `pods` event: pods, ready and serving of each side."""
    keys = ("pods", "ready", "serving")
    stable = {"revision": OLD, "desired": old[0], **dict(zip(keys, old, strict=True))}
    preview = {"revision": NEW if new[0] else "", "desired": new[0], **dict(zip(keys, new, strict=True))}
    whole = {"phase": "trying", "replicas": 3, "stable": stable, "preview": preview, "share": share}
    return json.dumps({"type": "pods", **whole})


PROMOTED = events(f"""
0 {pods((3, 3, 3), (0, 0, 0), 0)}
0.1 {{"type": "action", "action": "begin", "text": "pause the Deployment; the user's settings are written down"}}
0.2 {{"type": "action", "action": "pin", "service": "wallet", "text": "pin wallet to {OLD} (stable)"}}
0.4 {{"type": "action", "action": "hold", "text": "hold 3 stable and 3 preview pods (of 3)"}}
1 {pods((3, 3, 3), (3, 0, 0), 0)}
2 {pods((3, 3, 3), (3, 3, 0), 0)}
2.1 {{"type": "waiting", "key": "gates before preview", "text": "asking the gates before", "seconds": 0.0, "left": null}}
3 {{"type": "measured", "gate": "smoke", "stage": "before", "about": "preview", "number": 1, "answer": "pass", "evidence": "200 from 3 of 3"}}
3 {{"type": "gate", "gate": "smoke", "stage": "before", "about": "preview", "passed": true, "evidence": "200 from 3 of 3"}}
3.1 {{"type": "action", "action": "pin", "service": "wallet", "text": "shift 100% of wallet to {NEW} (1 of 1 gates passed)"}}
3.3 {pods((3, 3, 0), (3, 3, 3), 100)}
3.4 {{"type": "waiting", "key": "keepOld", "text": "waiting for keepOld to pass", "seconds": 0.0, "left": 4.0}}
7.4 {{"type": "action", "action": "finish", "text": "retire the old side: 3 pods"}}
8 {pods((0, 0, 0), (3, 3, 3), 100)}
8.2 {{"type": "action", "action": "restore", "text": "restore the user's settings; promoted"}}
8.3 {{"type": "result", "result": {{"outcome": "promoted", "reason": ""}}}}
""")

REFUSED = events(f"""
0 {pods((3, 3, 3), (0, 0, 0), 0)}
0.4 {{"type": "action", "action": "hold", "text": "hold 3 stable and 3 preview pods (of 3)"}}
2 {pods((3, 3, 3), (3, 3, 0), 0)}
2.1 {{"type": "waiting", "key": "gates before preview", "text": "asking the gates before", "seconds": 0.0, "left": null}}
4 {{"type": "measured", "gate": "smoke", "stage": "before", "about": "preview", "number": 1, "answer": "fail", "evidence": "500, <expected> 200"}}
4 {{"type": "gate", "gate": "smoke", "stage": "before", "about": "preview", "passed": false, "evidence": "500, <expected> 200"}}
4.1 {{"type": "action", "action": "turn", "reason": "gate smoke said no", "text": "turn round: gate smoke said no: 500, <expected> 200"}}
4.2 {{"type": "action", "action": "return", "text": "bring stable {OLD} back to 3 pods"}}
5 {pods((3, 3, 3), (0, 0, 0), 0)}
5.2 {{"type": "action", "action": "restore", "text": "restore the user's settings; back on stable"}}
5.3 {{"type": "result", "result": {{"outcome": "aborted", "reason": "gate smoke said no"}}}}
""")

REPORT: Json = {
    "started_at": BEGAN,
    "requests": 90,
    "failed": 1,
    "failures": [{"kind": "reset", "at": BEGAN + 3.2, "seconds": 3.2, "method": "GET", "detail": ""}],
    "revisions": {
        "r1": {"pods": {f"wallet-{OLD}-abcde": 39}},
        "r2": {"pods": {f"wallet-{NEW}-fghij": 50}},
    },
    "by_tenth": {"r1": [1] * 39, "r2": [0] * 40 + [1] * 50},
}
