"""TokenService: convert, call, convert."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from auth_service.api import convert
from auth_service.api.ports import PublicKey, TokenIssuer
from praxiscope.auth.v1 import auth_pb2, auth_pb2_grpc
from praxiscope_common import names
from praxiscope_common.identity import current_caller
from praxiscope_common.tokens import ALGORITHM

CLIENT_ADDRESS_KEY = "x-praxiscope-client-address"
Context = grpc.aio.ServicerContext


class TokenServicer(auth_pb2_grpc.TokenServiceServicer):
    """Answers for tokens."""

    def __init__(self, tokens: TokenIssuer, published: Sequence[PublicKey]) -> None:
        """Uses the tokens and the keys that sign them."""
        self._tokens = tokens
        self._published = published

    async def Login(self, request: auth_pb2.LoginRequest, context: Context) -> auth_pb2.TokenSet:
        """Logs a person in."""
        tokens = await self._tokens.log_in(
            email=request.email,
            password=request.password,
            project_id=_project_id(request.project),
            address=_client_address(context),
        )
        return convert.tokens_message(tokens)

    async def RefreshToken(self, request: auth_pb2.RefreshTokenRequest, context: Context) -> auth_pb2.TokenSet:
        """Swaps a refresh token."""
        tokens = await self._tokens.refresh(
            refresh_token=request.refresh_token, project_id=_project_id(request.project)
        )
        return convert.tokens_message(tokens)

    async def Logout(self, request: auth_pb2.LogoutRequest, context: Context) -> auth_pb2.LogoutResponse:
        """Ends the caller's session."""
        await self._tokens.log_out(current_caller())
        return auth_pb2.LogoutResponse()

    async def ExchangeApiKey(self, request: auth_pb2.ExchangeApiKeyRequest, context: Context) -> auth_pb2.TokenSet:
        """Swaps an API key for an access token."""
        return convert.tokens_message(await self._tokens.exchange_api_key(request.api_key))

    async def ExchangeToken(self, request: auth_pb2.ExchangeTokenRequest, context: Context) -> auth_pb2.TokenSet:
        """Gives a service a token to act for a caller."""
        if request.subject_token:
            tokens = await self._tokens.exchange_for_caller(
                assertion=request.client_assertion, subject_token=request.subject_token
            )
        else:
            tokens = await self._tokens.exchange_for_mandate(
                assertion=request.client_assertion,
                subject=request.subject,
                project_id=_project_id(request.project),
                permissions=tuple(request.permissions),
                operation=request.operation,
            )
        return convert.tokens_message(tokens)

    async def ListRevocations(
        self, request: auth_pb2.ListRevocationsRequest, context: Context
    ) -> auth_pb2.ListRevocationsResponse:
        """Lists tokens that no longer hold."""
        revocations, cursor = await self._tokens.revocations(request.cursor)
        response = auth_pb2.ListRevocationsResponse(next_cursor=cursor)
        for revocation in revocations:
            message = response.revocations.add(
                session=revocation.session, subject=revocation.subject, project=revocation.project
            )
            message.issued_until.FromNanoseconds(int(revocation.issued_until_s * 1e9))
        return response

    async def GetKeySet(self, request: auth_pb2.GetKeySetRequest, context: Context) -> auth_pb2.KeySet:
        """Gives the public keys of access tokens."""
        return auth_pb2.KeySet(
            keys=[
                auth_pb2.JsonWebKey(kty="RSA", kid=key.key_id, use="sig", alg=ALGORITHM, n=key.modulus, e=key.exponent)
                for key in self._published
            ]
        )


def _project_id(name: str) -> str:
    return names.PROJECT.parse(name)[0] if name else ""


def _client_address(context: Context) -> str:
    """Returns who tries: as the gateway says, or the peer itself."""
    metadata = dict(context.invocation_metadata() or ())
    address = metadata.get(CLIENT_ADDRESS_KEY)
    if isinstance(address, str) and address:
        return address[:100]
    return context.peer().rpartition(":")[0]
