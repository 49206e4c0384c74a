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
    """Make a token for `resight serve`, and print it once: the file keeps only its SHA-256. A running service notices at once.

    Parameters
    ----------
    file
        TOML file of all tokens; made if there is none.
    name
        Of the person or program that will hold the token, for the audit log. Their former token loses its use.
    role
        viewer: search and look. operator: also enrol, confirm, reject, export. admin: also purge, read audit log and metrics.
    cameras
        Only these cameras exist for the token; all unless given. May be given several times.
    revoke
        Take the token of this name out of the file instead.
    json
        Also write name, role, cameras and the token to this file, for nobody else to read.
    """
    from resight.files import write_json
    from resight.service import new_token, remove_token

    if revoke:
        remove_token(file, name)
        say(f"{file}: the token of {name} is of no use any more")
        return
    token = new_token(file, name, role, cameras)
    say(token)
    warn(
        tuple(
            f"{camera!r} has a comma and is taken as one camera; for several cameras give --cameras several times"
            for camera in cameras or ()
            if "," in camera
        )
    )
    if json is not None:
        write_json(json, {"name": name, "role": role, "cameras": cameras, "token": token}, private=True)
