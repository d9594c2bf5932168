"""Who may call what: every caller, every method, with and without a token, through real proxies."""

from __future__ import annotations

from dataclasses import replace

from tests.support.mesh import Answered, Call, Laboratory

_GET_KEYS = "/praxiscope.auth.v1.TokenService/GetKeySet"


def test_one_edge_is_there_and_another_is_not(laboratory: Laboratory) -> None:
    keys = Call(address="auth:7410", method=_GET_KEYS)
    assert laboratory.callers["library"].one(keys).answered is Answered.SERVICE
    assert laboratory.callers["triton"].one(keys).answered is Answered.POLICY
    assert laboratory.callers["stranger-elsewhere-gateway"].one(replace(keys, address="auth.praxiscope:7410")).answered is Answered.POLICY
    assert laboratory.mesh.refused_updates() == {}
