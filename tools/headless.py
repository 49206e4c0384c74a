"""Write a finished run's network without its head, as weights that others can start from.

    python tools/headless.py runs/student src/resight/shipped/student-160x64.safetensors

The head only tells the training identities apart, and is most of the file.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save

from resight.files import atomic_write
from resight.networks.card import load_network


def main(run: str, out: str) -> None:
    """Write the weights of `run` to `out`."""
    network, card = load_network(run)
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items() if not name.startswith(f"{network.head}.")}
    about = {name: value for name, value in asdict(card).items() if name != "identities"}
    text = json.dumps(about, default=str).replace(str(Path.home()), "~")
    with atomic_write(out) as stream:
        stream.write(save(state, {"resight": text}))


if __name__ == "__main__":
    main(*sys.argv[1:])
