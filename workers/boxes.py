"""How much boxes overlap."""

import numpy as np
from numpy.typing import NDArray


def ious(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of each pair. (n, 4) and (m, 4), corners in pixels -> (n, m)"""
    low = np.maximum(ours[:, None, :2], theirs[None, :, :2])
    high = np.minimum(ours[:, None, 2:], theirs[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    both = np.prod(ours[:, 2:] - ours[:, :2], axis=1)[:, None] + np.prod(theirs[:, 2:] - theirs[:, :2], axis=1)[None]
    result: NDArray[np.float64] = shared / np.maximum(both - shared, 1e-9)
    return result
