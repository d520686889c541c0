"""The learning rate over a run, as a share of its highest value. Pure."""

import math


def warmed_then_cosine(step: int, *, total_steps: int, warmup_share: float) -> float:
    """Rises in a straight line over the warm-up, then falls along a cosine to nothing.

    >>> [round(warmed_then_cosine(s, total_steps=10, warmup_share=0.2), 2) for s in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    warmup = max(1, round(warmup_share * total_steps))
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, total_steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
