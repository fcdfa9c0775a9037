"""The env provider reads variables and writes none."""

from __future__ import annotations

import pytest

from deployctl.errors import Forbidden, UsageError
from deployctl.flags import Context
from deployctl.flags.env import Env
from tests.flags.contract import asking

ONE, ASKED = Env("WALLET_"), asking()


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    for name, value in {"NEW_WALLET": "true", "LIMIT": "3", "TONE": "loud", "EMPTY": ""}.items():
        monkeypatch.setenv(f"WALLET_{name}", value)


@pytest.mark.parametrize(
    ("key", "value"), [("new-wallet", True), ("limit", 3), ("tone", "loud"), ("empty", None), ("none", None)]
)
def test_a_variable_is_a_flag(key, value):
    found = ONE.read(key, Context(), ASKED)
    assert [one.value for one in found] == [value]
    assert bool(found[0].why) is (value is None)


def test_all_are_listed():
    assert {one.key: one.value for one in ONE.settings(ASKED)} == {
        "new-wallet": True,
        "limit": 3,
        "tone": "loud",
    }


def test_none_is_written():
    seen = ONE.setting("new-wallet", ASKED)
    assert seen.locked
    with pytest.raises(
        Forbidden, match="WALLET_NEW_WALLET: environment variables are read and never written"
    ):
        ONE.set(seen, value=False, reason="", asked=ASKED)


def test_an_unset_one_is_unknown():
    with pytest.raises(UsageError, match="WALLET_NO is not set"):
        ONE.setting("no", ASKED)
