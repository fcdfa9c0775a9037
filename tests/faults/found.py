"""What the matrix has found in the product: the run that found it, and what was wrong there. All pass today."""

from __future__ import annotations

FOUND = {
    "rolling-abort-finishing/killAfter@22/resume": (
        "An abort that died right after it brought stable's template back left a Service without endpoints: the valve "
        "was on, stable's new pods came up dark, and the preview went as they came."
    ),
    "rolling-abort-last-batch/killAfter@22/rollback": "The same, with one of three pods left.",
    "rolling-gate-says-no/dropBefore@51/rollback": (
        "A build that its gate had refused took all traffic by the next `rollback`: the release's end could not be "
        "written down, and a release without an end counted as no word against its build."
    ),
    "rolling-abort-rounds/killBefore@114/rollback": "The same, after a process that died before it wrote the end down.",
    "rolling-abort-rounds/dropBefore@85/rollback": (
        "One lost answer of a pod cut the rounds that it had told of: on the way back five seconds of waiting counted "
        "as five seconds of silence."
    ),
    "rolling-no-pre-stop/killAfter@54/rollback": (
        "The way back out of a rolling release removed pods of the preview while they served, also where they have "
        "no preStop."
    ),
    "rolling-abort/unavailable@32/rollback": (
        "One refused call in the last step left a copy of our annotation on a ReplicaSet."
    ),
    "blue-green-gate-says-no/lockLost@38/resume": "The same, where the lock was lost in that moment.",
    "rolling-abort-finishing/killAfter@32/resume": (
        "A process that died in the last step left such copies, and no command but `release` took them off."
    ),
    "rolling-abort-half-way/@0/resume": (
        "The way back beside a preview that stays retired a pod of it at once, rounds and all: stable's ReplicaSet "
        "still counted its old pods as available, and the controller took them for the preview's."
    ),
    "both:blue-green-release-rollback/11.4.1": (
        "A shift that was on its way when a rollback took over arrived after it: the Service went to pods that went."
    ),
    "both:rolling-release-rollback/8.3.2": (
        "So did a valve: the Service asked for a label that no pod had any more, and nothing served, for good."
    ),
    "both:blue-green-resume-rollback/2.6.99": (
        "A resume that lost its lock to a rollback raised the fence over it all the same, after a lost race."
    ),
    "rolling-abort-rounds/dropBefore@18/resume": (
        "One call without an answer ended a command in the moment in which it took the release over."
    ),
    "rolling-late-rounds/@0/resume": (
        "A pod was believed to have no round by words from before it lost its traffic: a round that came through a "
        "node that had not heard of it yet was cut."
    ),
    "rolling-holder/dropBefore@183/rollback": (
        "A pod whose order to begin got lost was told again only when its time was over, and the release turned round: "
        "nothing woke the loop."
    ),
    "blue-green-holder/lockLost@79/resume": (
        "A process that had lost its lock still told pods to stay as they are, under its own seal."
    ),
}
