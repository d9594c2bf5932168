"""What must not be said is said nowhere."""

import httpx

from tests.e2e.conftest import RunningStack


def test_no_key_token_password_or_ticket_stands_in_a_log(stack: RunningStack) -> None:
    credentials = stack.credentials
    with httpx.Client(base_url=stack.url) as http:
        login = {"email": credentials["email"], "password": credentials["password"]}
        tokens = http.post("/v1/auth:login", json=login).json()
        http.get("/v1/auth/caller", headers={"authorization": f"Bearer {credentials['api_key']}"})
        http.get(f"/v1/blobs?ticket={tokens['accessToken']}")
        http.get(f"/v1/{credentials['project']}/assets", headers={"authorization": "Bearer pxk_0123456789abcdef"})
    logs = stack.logs()
    assert "serving" in logs
    for secret in (
        credentials["api_key"],
        credentials["password"],
        tokens["accessToken"],
        tokens["refreshToken"],
        "pxk_0123456789abcdef",
    ):
        assert secret not in logs
