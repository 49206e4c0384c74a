"""A process that gives birth to others, which migrate a gallery until they are killed: `python migrating.py LOCATION`.

For every line on its input it forks and says the child's number, and then, after the child's end, its exit code.
"""

from __future__ import annotations

import os
import sys
import traceback

from resight.gallery import upkeep


def main() -> None:
    location = sys.argv[1]
    if location.startswith("postgres"):
        import resight.gallery.store.postgres  # noqa: F401, so that the children need not
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                upkeep.migrate(location)
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
