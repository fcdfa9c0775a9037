"""Who we are to which cluster: kubeconfig, credential plugin or the pod's own ServiceAccount."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deployctl.errors import Forbidden, UsageError
from deployctl.foreign import printable

IN_CLUSTER = "in-cluster"
INSIDE = Path("/var/run/secrets/kubernetes.io/serviceaccount")
MUTE = (
    "'NoneType' object has no attribute 'strip'"  # the client's slip where a plugin complains to the terminal
)
NO_FILE = "pass --kubeconfig and --context; where there is no cluster, `deployctl sandbox up` makes one to practise on"
ADVICE = "log in again, or mend the user in the kubeconfig; then repeat"


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster, as whom: the flags that kubectl has."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    impersonate: str | None = None
    timeout_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class Login:
    """One server with the credentials of one moment, and the connections that were opened with them."""

    host: str
    context: str
    namespace: str
    pool: Any
    credentials: Mapping[str, str]
    authority: str = ""  # a digest of whom we trust to be this server


def log_in(target: Target) -> Login:
    """Read the credentials anew: a plugin runs again, a token file is read again."""
    from deployctl.cluster.official import client

    configuration = client.Configuration()
    configuration.connection_pool_maxsize = 32
    context, namespace = _configure(configuration, target)
    pool = client.rest.RESTClientObject(configuration).pool_manager
    bearer = configuration.auth_settings().get("BearerToken")
    credentials = {bearer["key"]: bearer["value"]} if bearer else {}
    host = configuration.host.rstrip("/")
    return Login(host, context, namespace, pool, credentials, _authority(host, configuration.ssl_ca_cert))


def contexts_of(kubeconfig: str | None) -> tuple[str, ...]:
    """Name the contexts of a kubeconfig."""
    files = kubeconfig or _default_kubeconfig()
    if files is None:
        return ()
    with _read(files):
        return tuple(one["name"] for one in _loader(files, None).list_contexts())


def current(kubeconfig: str | None, context: str | None) -> tuple[str, str, str]:
    """Name the kubeconfig, the context that it means and that one's namespace; nobody is logged in."""
    files = kubeconfig or _default_kubeconfig()
    if files is None:
        return "", IN_CLUSTER, ""
    with _read(files):
        chosen = _loader(files, context).current_context
        return files, chosen["name"], chosen["context"].get("namespace") or "default"


def _authority(host: str, certificates: str | None) -> str:
    """Digest the certificate authority, which a cluster has whatever its address; else the address."""
    file = Path(certificates) if certificates else None
    known = file.read_bytes().strip() if file and file.exists() else host.encode()
    return hashlib.sha256(known).hexdigest()[:16]


def _configure(configuration: Any, target: Target) -> tuple[str, str]:
    """Fill in server and credentials; give the context's name and its namespace."""
    files = target.kubeconfig or _default_kubeconfig()
    if files is None:
        return IN_CLUSTER, target.namespace or _inside(configuration)
    with _read(files), _heard() as complaints:
        loader = _loader(files, target.context)
        loader.load_and_set(configuration)
        chosen = loader.current_context
        context, namespace = chosen["name"], chosen["context"].get("namespace")
    if complaints:
        raise Forbidden(f"the credential plugin failed: {_said(complaints[0])}", advice=ADVICE)
    return context, target.namespace or namespace or "default"


def _inside(configuration: Any) -> str:
    """Log in as the pod's ServiceAccount; give its namespace."""
    from deployctl.cluster.official import config

    try:
        config.load_incluster_config(client_configuration=configuration)
        return (INSIDE / "namespace").read_text().strip()
    except (config.ConfigException, OSError) as error:
        raise UsageError(
            f"no ServiceAccount in this pod: {error}", advice="mount its token, or pass --kubeconfig"
        ) from error


def _loader(files: str, context: str | None) -> Any:
    from deployctl.cluster.official import config

    named = [one for one in files.split(os.pathsep) if one]
    if not any(Path(one).expanduser().exists() for one in named):
        raise FileNotFoundError("no such file")
    merged = config.kube_config.KubeConfigMerger(files).config
    return config.kube_config.KubeConfigLoader(merged, context, config_base_path=None)


@contextmanager
def _read(files: str) -> Iterator[None]:
    """Turn what is wrong with a kubeconfig into a message that cannot hold a credential of it."""
    from deployctl.cluster.official import config

    try:
        yield
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise _unreadable(files, f"line {line} is no YAML: {error.problem}") from error
    except config.ConfigException as error:
        raise _unreadable(files, _without_content(str(error))) from error
    except FileNotFoundError as error:
        raise UsageError(f"kubeconfig {files}: no such file", advice=NO_FILE) from error
    except OSError as error:
        raise _unreadable(files, error.strerror or str(error)) from error
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise _unreadable(files, "this is no kubeconfig") from error


def _unreadable(files: str, why: str) -> UsageError:
    return UsageError(f"kubeconfig {files}: {why}", advice="pass --kubeconfig and --context")


def _without_content(message: str) -> str:
    """Leave out what the client quotes: it names a user by the whole entry, token and all."""
    return re.sub(r"/?\{.*\}", "", message, flags=re.DOTALL).removeprefix("Invalid kube-config file. ")


def _said(complaint: str) -> str:
    return "its complaint is above" if complaint == MUTE else printable(complaint)


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Hear what the client only logs: a credential plugin that failed (its code swallows the exception)."""
    said: list[str] = []
    ear = _Ear(said)
    logging.getLogger().addHandler(ear)
    try:
        yield said
    finally:
        logging.getLogger().removeHandler(ear)


class _Ear(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage().strip())


def _default_kubeconfig() -> str | None:
    """Find the kubeconfig as kubectl does; None inside a pod that has none."""
    named = os.environ.get("KUBECONFIG")
    home = Path.home() / ".kube" / "config"
    if named or home.exists() or "KUBERNETES_SERVICE_HOST" not in os.environ:
        return named or str(home)
    return None
