"""Certificates change while calls go on, and no call notices."""

from __future__ import annotations

import collections
import time

import pytest

from tests.support.mesh import SHORT_CERTIFICATE_S, SHORT_CERTIFICATES, Answered, Call, Laboratory, note
from tests.support.mesh_tokens import GOOD

_CHANGES = 2
_PATIENCE_S = 4 * SHORT_CERTIFICATE_S


@pytest.mark.timeout(2 * _PATIENCE_S)
def test_certificates_change_under_load(laboratory: Laboratory) -> None:
    pods = [laboratory.mesh.pods[name] for name in SHORT_CERTIFICATES]
    metadata = (("authorization", f"Bearer {laboratory.tokens[GOOD]}"),)
    call = Call(address="library:7420", method="/praxiscope.library.v1.AssetService/GetAsset", metadata=metadata)
    seen: dict[str, set[tuple[str, ...]]] = collections.defaultdict(set)
    answered: collections.Counter[str] = collections.Counter()
    started_s = time.monotonic()
    while time.monotonic() - started_s < _PATIENCE_S and any(len(seen[pod.plan.name]) <= _CHANGES for pod in pods):
        outcomes = laboratory.callers["gateway"].make([call] * 50, at_once=8)
        answered.update(outcome.answered.value for outcome in outcomes)
        for pod in pods:
            seen[pod.plan.name].add(tuple(pod.certificate_serials()))
    assert answered == {Answered.SERVICE.value: answered.total()}
    assert {name: len(serials) > _CHANGES for name, serials in seen.items()} == dict.fromkeys(SHORT_CERTIFICATES, True)
    note("certificates changed under load: calls, lost", [answered.total(), 0])
    note("certificates changed under load: two times each in, s", round(time.monotonic() - started_s, 1))
