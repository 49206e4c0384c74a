"""`python -m resight`, which torchrun needs: it starts modules."""

import sys

from resight.cli import main

sys.exit(main())
