"""The watch over adversarial training: it notices trouble, and says what to change."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

_PINNED, _PINNED_STEPS = 0.98, 200
_RUNAWAY = 1.3
_RISE = 1.15


@dataclass
class CollapseWatch:
    """A watch over curves and validations that warns of each trouble once, until it is over.

    Attributes:
        pinned_since: step from which on the discriminator's accuracy has been pinned.
        lowest: ΔE00 of all validations.
        reported: troubles that were reported and are not over.
    """

    pinned_since: int | None = None
    lowest: float = math.inf
    reported: list[str] = field(default_factory=list)

    def curves(self, step: int, means: dict[str, float]) -> list[str]:
        """Return warnings from the means of the last steps' curves."""
        if "generator/adversarial" not in means or "discriminator/accuracy_real" not in means:
            return []
        real, fake = means["discriminator/accuracy_real"], means["discriminator/accuracy_fake"]
        strong = min(real, fake) > _PINNED
        weak = min(real, fake) < 1 - _PINNED
        if not (strong or weak):
            self.pinned_since = None
        elif self.pinned_since is None:
            self.pinned_since = step
        pinned = self.pinned_since is not None and step - self.pinned_since >= _PINNED_STEPS
        advice = (
            "it sees through everything and teaches nothing: lower discriminator_optimizer.lr, "
            "or soften the start with a smaller critic_warmup_steps"
            if strong
            else "it tells nothing apart: raise discriminator_optimizer.lr or critic_warmup_steps"
        )
        return self._report(
            "pinned",
            pinned,
            f"the discriminator's accuracy has been pinned (real {real:.2f}, fake {fake:.2f}) "
            f"for {_PINNED_STEPS} steps: {advice}",
        )

    def validation(self, scores: dict[str, float]) -> list[str]:
        """Return warnings from a validation; there are none if it does not score colors."""
        if "colorfulness_ratio" not in scores:
            return []
        ratio, delta_e = scores["colorfulness_ratio"], scores["delta_e"]
        self.lowest = min(self.lowest, delta_e)
        return [
            *self._report(
                "runaway",
                ratio > _RUNAWAY,
                f"colours run away (ratio {ratio:.2f} of the truth's): raise reconstruction.l1, "
                "or lower optimizer.lr",
            ),
            *self._report(
                "rise",
                delta_e > _RISE * self.lowest,
                f"ΔE00 has risen from {self.lowest:.2f} to {delta_e:.2f}: raise "
                "reconstruction.l1, lower both learning rates, or stop earlier; --select takes "
                "the best validation",
            ),
        ]

    def _report(self, trouble: str, present: bool, warning: str) -> list[str]:
        if present == (trouble in self.reported):
            return []
        if present:
            self.reported.append(trouble)
            return [warning]
        self.reported.remove(trouble)
        return []
