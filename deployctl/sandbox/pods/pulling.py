"""Gets the image of a pod, or says in a kubelet's words why it cannot be had."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass

from deployctl.sandbox.pods.machine import Machine, first
from deployctl.sandbox.pods.podstatus import Life

NAME = re.compile(r"[a-z0-9][\w./:@+-]*")


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no image; `reason` is what the container waits for."""

    reason: str
    message: str
    event: str = ""


def missing(machine: Machine, life: Life) -> Missing | None:
    """Say why a pod's image cannot be had; None where it can."""
    container = first(life)
    image = container.get("image", "")
    if wrong := _malformed(image):
        message = (
            f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": {wrong}'
        )
        return Missing("InvalidImageName", message, "InspectFailed")
    if not any(fnmatch.fnmatch(image, pattern) for pattern in machine.unpullable):
        return None
    if container.get("imagePullPolicy") == "Never":
        message = f'Container image "{image}" is not present with pull policy of Never'
        return Missing("ErrImageNeverPull", message, "ErrImageNeverPull")
    cause = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": {image}: not found'
    return Missing("ErrImagePull", f"rpc error: code = NotFound desc = {cause}")


def _malformed(image: str) -> str:
    """Say what is wrong with an image's name, as github.com/distribution/reference does."""
    name = image if "/" in image else f"library/{image}"
    repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    if repository != repository.lower():
        return f"invalid reference format: repository name ({repository}) must be lowercase"
    return "" if NAME.fullmatch(image) else "invalid reference format"
