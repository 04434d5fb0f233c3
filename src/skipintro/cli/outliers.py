"""How far from its series a label may be, by default."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skipintro.review.outliers import SuspicionRule

DEVIATIONS = 3.0  # standard deviations
LENGTH_OFF_S, START_OFF_S, SHIFTED_LENGTH_OFF_S = 5.0, 120.0, 2.0


def usual_rule() -> "SuspicionRule":
    """Return the rule of `labels check` without options."""
    from skipintro.review.outliers import SuspicionRule

    return SuspicionRule(
        deviations=DEVIATIONS,
        length_off_s=LENGTH_OFF_S,
        start_off_s=START_OFF_S,
        shifted_length_off_s=SHIFTED_LENGTH_OFF_S,
    )
