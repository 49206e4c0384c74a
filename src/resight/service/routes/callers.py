"""Roles that routes declare: the OpenAPI document shows them, and every request is checked against them."""

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
    caller: Caller = request.state.caller  # from the gate
    for role in roles.scopes:
        if not caller.may(role):
            raise AccessError(f"this token has the role {caller.role}, and this needs the role {role}; ask your administrator")
    return caller


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Viewer = Annotated[Caller, Security(_caller, scopes=["viewer"])]
"""The caller, of any role."""

Operator = Annotated[Caller, Security(_caller, scopes=["operator"])]
"""The caller, who must be an operator or admin."""

Admin = Annotated[Caller, Security(_caller, scopes=["admin"])]
"""The caller, who must be an admin."""

ServiceOf = Annotated[Service, Depends(_service)]
"""The running service."""
