"""A gallery over HTTP: who may do what, a log of who did it, and searches answered together.

`resight.service.app.create_app` makes the application and needs the ``serve`` extra; access and audit need nothing.
"""

from resight.service.access import ROLES, Caller, single_token
from resight.service.audit import Act, AuditLog
from resight.service.tokens import AccessFile, new_token, remove_token

__all__ = ["ROLES", "AccessFile", "Act", "AuditLog", "Caller", "new_token", "remove_token", "single_token"]
