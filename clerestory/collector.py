"""The garbage collector, told what a busy process is like.

By itself it looks through everything young after every 700 new objects, and again and again through what was
imported and never goes away. Nearly all that a gateway makes is freed by its last reference.
"""

import gc

YOUNG = 20_000
MIDDLE, OLD = 20, 20


def settle() -> None:
    """Call once everything is imported and set up: what is there now is taken to stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
