"""What schemathesis makes of the OpenAPI document that the gateway serves: requests of its form, and some that break it in one place."""

from __future__ import annotations

import contextlib
import json
import re
import time
from random import Random
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable

from fuzz.tally import CRASH, HANG, INTERNAL, Tally, random_for
from fuzz.target import Target

_LIMIT_S = 20.0
_WAITING_LIMIT_S = 0.5
_WAITING = ("Wait", "Watch")
_OWN_FAULT_CODES = {501, 505}
_VARIABLE = re.compile(r"\{([^}]*)\}")
_MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)


def shoot_by_document(target: Target, seed_number: int, case_count: int) -> Tally:
    """Sends requests for every operation of the document, one after another, and returns what came of them."""
    tally = Tally(entry="openapi")
    started_s = time.monotonic()
    operations = [
        found.ok() for found in schemathesis.openapi.from_dict(_readable(target.openapi)).get_all_operations()
    ]
    waiting = [(operation, mode) for operation in operations for mode in _MODES]
    with requests.Session() as session:
        for place, (operation, mode) in enumerate(waiting):  # where there is little to vary, the others have more
            wanted = -(-(case_count - tally.case_count) // (len(waiting) - place))
            _shoot_one(operation, mode, target, session, f"{seed_number}/{operation.label}/{mode}", wanted, tally)
    tally.elapsed_s = time.monotonic() - started_s
    return tally


def _shoot_one(
    operation: Any,  # noqa: ANN401  schemathesis names no public type for it
    mode: schemathesis.GenerationMode,
    target: Target,
    session: requests.Session,
    seed_text: str,
    case_count: int,
    tally: Tally,
) -> None:
    if case_count <= 0:
        return
    method = str(operation.definition.raw["operationId"])
    random = random_for(0, seed_text, 0)

    @seed(seed_text)
    @settings(
        max_examples=case_count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:  # noqa: ANN401  as above
        _send(case, method, target, session, random, tally)

    with contextlib.suppress(Unsatisfiable):  # nothing about this operation can be broken
        run()


def _send(case: Any, method: str, target: Target, session: requests.Session, random: Random, tally: Tally) -> None:  # noqa: ANN401  as above
    index, started_s = tally.case_count, time.monotonic()
    if case.path_parameters and random.random() < 0.7:  # a name of chance reaches nothing
        case.path_parameters = {name: random.choice(target.known) for name in case.path_parameters}
    given_request = case.as_transport_kwargs(base_url=target.url)
    given_request["url"] = given_request["url"].replace("%2F", "/")
    if token := target.credential(random, method):
        given_request["headers"]["Authorization"] = f"Bearer {token}".encode("latin-1", "replace")
    waits = any(word in method for word in _WAITING)
    outcome = "FOUND"
    try:
        answer = session.request(
            **given_request, timeout=_WAITING_LIMIT_S if waits else _LIMIT_S, stream=waits, allow_redirects=False
        )
        if waits:
            answer.close()
        if answer.status_code >= 500 and answer.status_code not in _OWN_FAULT_CODES:
            tally.find(INTERNAL, index, f"{method}: {answer.status_code} {answer.text[:200]}")
        else:
            outcome = f"HTTP {answer.status_code}"
    except requests.Timeout:
        if waits:
            outcome = "WAITED"
        else:
            tally.find(HANG, index, method)
    except requests.exceptions.InvalidHeader:
        outcome = "NOT_SENT"  # requests refuses what the entry `http` sends
    except requests.ConnectionError as error:
        tally.find(CRASH, index, f"{method}: {error}"[:300])
    tally.note(index, outcome, time.monotonic() - started_s)


def _readable(openapi: Any) -> Any:  # noqa: ANN401  JSON
    """Returns the document without dots in the names of path variables, which schemathesis cannot fill in."""
    document = json.loads(json.dumps(openapi))
    document["paths"] = {
        _VARIABLE.sub(lambda found: found[0].replace(".", "_"), path): item for path, item in document["paths"].items()
    }
    for item in document["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                if parameter.get("in") == "path":
                    parameter["name"] = parameter["name"].replace(".", "_")
    return document
