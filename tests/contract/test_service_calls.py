"""A service's token is good for that service's calls, whatever permissions it holds (docs/adr/0010)."""

import pytest
from google.longrunning import operations_pb2

from praxiscope.library.v1 import asset_service_pb2, media_service_pb2
from tests.support.house import Tenant


@pytest.mark.parametrize("service", ["biomechanics", "tracking", "vision_inference"])
async def test_a_services_token_reads_no_assets(tenant: Tenant, service: str) -> None:
    request = asset_service_pb2.ListAssetsRequest(parent=tenant.name)
    answer = await tenant.house.ask("AssetService.ListAssets", request, token=tenant.service_token(service))
    assert (answer.outcome, answer.error.metadata["service"]) == ("SERVICE_NOT_ALLOWED", service)


async def test_a_service_that_only_reads_makes_no_assets(tenant: Tenant) -> None:
    request = media_service_pb2.CreateDerivedAssetRequest()
    token = tenant.service_token("vision_inference")
    answer = await tenant.house.ask("MediaService.CreateDerivedAsset", request, token=token)
    assert answer.outcome == "SERVICE_NOT_ALLOWED"


async def test_a_service_that_nobody_knows_may_call_nothing(tenant: Tenant) -> None:
    request = operations_pb2.GetOperationRequest(name=tenant.name_of("operations"))
    token = tenant.token_with({"library.operations.read"}, acting_service="a-stranger")
    assert (await tenant.house.ask("Operations.GetOperation", request, token=token)).outcome == "SERVICE_NOT_ALLOWED"
