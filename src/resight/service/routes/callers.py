"""What a route declares of whoever may use it: the OpenAPI document says it, and the request is held to it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer, SecurityScopes

from resight.errors import AccessError
from resight.service.access import Caller
from resight.service.lifecycle import Service

__all__ = ["Admin", "Operator", "ServiceOf", "Viewer"]

_TOKEN = HTTPBearer(scheme_name="token", auto_error=False, description="printed by `resight serve`, or made by `resight access`")


async def _caller(request: Request, roles: SecurityScopes, token: Annotated[object, Depends(_TOKEN)]) -> Caller:
    caller: Caller = request.state.caller  # `Authentication` has let them in
    for role in roles.scopes:
        if not caller.may(role):
            raise AccessError(f"this token is of a {caller.role}, and that is for the role {role}; ask its administrator")
    return caller


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Viewer = Annotated[Caller, Security(_caller, scopes=["viewer"])]
"""Whoever asks, of any role."""

Operator = Annotated[Caller, Security(_caller, scopes=["operator"])]
"""Whoever asks, of the role operator or admin."""

Admin = Annotated[Caller, Security(_caller, scopes=["admin"])]
"""Whoever asks, of the role admin."""

ServiceOf = Annotated[Service, Depends(_service)]
"""What the routes share."""
