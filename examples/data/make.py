#!/usr/bin/env python3
"""Write digits.bin, the handwritten digits as bytes: for each image 64 pixels from 0 to 16, row by row, and
its label.

Needs numpy and scikit-learn, which ships the images. Written with scikit-learn 1.9.1, numpy 2.4.6.
"""

import pathlib

import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
rows = np.column_stack([digits.data, digits.target]).astype(np.uint8)
assert rows.shape == (1797, 65) and (rows == np.column_stack([digits.data, digits.target])).all()
(pathlib.Path(__file__).parent / "digits.bin").write_bytes(rows.tobytes())
