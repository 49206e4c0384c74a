"""`resight access`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from resight.cli.terminal import say, warn

__all__ = ["access"]


def access(
    file: Path,
    name: str,
    *,
    role: Literal["viewer", "operator", "admin"] = "viewer",
    cameras: Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())] = None,
    revoke: bool = False,
    json: Path | None = None,
) -> None:
    """Make a token for `resight serve` and print it once; the file keeps only its SHA-256. A running service notices at once.

    Parameters
    ----------
    file
        TOML file of all tokens; it is made if it does not exist.
    name
        Person or program that will hold the token, for the audit log. Revokes their previous token.
    role
        viewer: search and look. operator: also add, name, confirm, reject, export. admin: also purge, read audit log and metrics.
    cameras
        Cameras that the token may see; all by default. Repeat for more cameras.
    revoke
        Revoke the token of this name instead.
    json
        Also write name, role, cameras and the token to this file, which only you can read.
    """
    from resight.errors import ConfigurationError
    from resight.files import write_json
    from resight.service import new_token, remove_token

    if revoke:
        if json is not None or cameras or role != "viewer":
            raise ConfigurationError("--revoke takes a token away; leave out --role, --cameras and --json")
        remove_token(file, name)
        say(f"{file}: the token of {name} is revoked")
        return
    token = new_token(file, name, role, cameras)
    say(token)
    warn(
        tuple(
            f"{camera!r} has a comma and is one camera; for several cameras, repeat --cameras"
            for camera in cameras or ()
            if "," in camera
        )
    )
    if json is not None:
        write_json(json, {"name": name, "role": role, "cameras": cameras, "token": token}, private=True)
