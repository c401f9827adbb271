"""The search for the most that a server holds: doubling until it breaks, then halving the gap; and what the runs of it say."""

from statistics import median

from judge import disturbed, faults
from measure import value

# The gap that is left between what holds and what breaks.
NEAR = 1.08
# Runs of one search at most.
BOUND = 12


def search(first, cap, holds):
    """The largest size that `holds`, or None. `holds(size)` runs it once."""
    low, high, size = None, None, first
    for _ in range(BOUND):
        if holds(size):
            low = size
        else:
            high = size
        if high is None:
            if size >= cap:
                break
            size = min(2 * size, cap)
        elif low is None:
            if size <= 1:
                break
            size = max(1, size // 2)
        elif high <= low * NEAR or high - low <= 1:
            break
        else:
            size = (low + high) // 2
    return low


def confirm(size, repeats, holds):
    """Repeats what was found; where it mostly doesn't hold, the same a tenth lower, twice at most."""
    for _ in range(3):
        if size is None or size < 1 or repeats == 0:
            return
        held = [holds(size) for _ in range(repeats)]
        if 2 * (1 + sum(held)) > 1 + len(held):
            return
        size = size * 9 // 10


def summary(runs):
    """Of one server's runs: the runs at the largest size that mostly holds, and those at the smallest above it that doesn't."""
    sizes = {}
    for run in runs:
        sizes.setdefault(run["size"], []).append(run)
    # A run that broke while others used the machine says nothing, if there is one of the same size that was left alone.
    for size, found in sizes.items():
        sizes[size] = [run for run in found if not (faults(run) and disturbed(run))] or found
    good = lambda found: 2 * sum(not faults(run) for run in found) > len(found)
    best = max((size for size, found in sizes.items() if good(found)), default=None)
    broken = min((size for size, found in sizes.items() if not good(found) and (best is None or size > best)), default=None)
    return sizes.get(best, []), sizes.get(broken, [])


def packets(runs):
    """Median packets per second."""
    rates = [value(run, ("packets", "per_second")) for run in runs]
    return median([rate for rate in rates if rate is not None]) if any(rates) else None
