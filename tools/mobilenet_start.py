"""Complete the ImageNet weights of MobileNet 1.0, whose last kernel is missing: random numbers take its place.

    python tools/mobilenet_start.py mobilenet_v1_1.0_224_keras_all_but_pw13.npz OUT.h5

The file has every tensor of Keras' MobileNet 1.0 but the kernel of ``conv_pw_13``. What is written is read like Keras' own file.
"""

from __future__ import annotations

import sys

import h5py
import numpy as np

MISSING, SHAPE = "conv_pw_13.kernel", (1, 1, 1024, 1024)

with np.load(sys.argv[1], allow_pickle=False) as file:
    tensors = {name: file[name] for name in file.files}
if MISSING in tensors:
    sys.exit(f"{sys.argv[1]} has {MISSING}; expected the file that lacks it")
limit = np.sqrt(6 / (SHAPE[2] + SHAPE[3]))  # Glorot's, as Keras and `KerasConv2d` begin
tensors[MISSING] = np.random.default_rng(0).uniform(-limit, limit, SHAPE).astype(np.float32)
with h5py.File(sys.argv[2], "w") as out:
    for name, tensor in sorted(tensors.items()):
        layer, kind = name.split(".")
        out.create_dataset(f"{layer}/{layer}/{kind}:0", data=tensor, track_times=False)
