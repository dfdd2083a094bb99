"""Data: three real sets that ship with minigrad, anybody's CSV file, toy generators, and the split that is fair.

Whatever is learnt from data, means and scales included, is learnt from the training part alone.
"""

from minigrad.data.files import read
from minigrad.data.sets import load, split
from minigrad.data.toys import blobs, circles, line, moons, sine

__all__ = ["blobs", "circles", "line", "load", "moons", "read", "sine", "split"]
