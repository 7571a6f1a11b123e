"""What a configuration accepts: findings by rule and place, and leaks too small to matter."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from maskcheck.core.report import Finding
from maskcheck.core.selection import Selection


@dataclass(frozen=True, slots=True)
class Ignore:
    """Accept findings of ``rule`` (a code, a name, or a pattern) at sites like ``site``, for the reason given."""

    rule: str
    reason: str
    site: str = "*"

    def matches(self, finding: Finding) -> bool:
        """Whether it covers the finding: its rule, and one of the names its site goes by."""
        wanted = self.rule.lower()
        if not any(fnmatchcase(name.lower(), wanted) for name in (finding.rule, finding.name)):
            return False
        site = finding.site
        names = [site.name, site.module or "", site.source.file if site.source else ""] if site is not None else [""]
        return any(fnmatchcase(name, self.site) for name in names)


@dataclass(frozen=True, slots=True)
class Policy:
    """What is accepted of one model. ``max_difference`` is in standard deviations, ``max_influence`` in real tokens;
    a finding within every threshold that is set is accepted. ``source`` is the file that says all this; ``selection``
    comes from the command line.
    """

    ignores: tuple[Ignore, ...] = ()
    max_difference: float | None = None
    max_influence: float | None = None
    source: str = ""
    selection: Selection = field(default_factory=Selection)

    def reason(self, finding: Finding) -> str | None:
        """Return why the finding is accepted, or ``None`` where it is not."""
        ignore = next((i for i in self.ignores if i.matches(finding)), None)
        return ignore.reason if ignore is not None else self._small(finding)

    def _small(self, finding: Finding) -> str | None:
        limits = [
            (self.max_difference, finding.difference, "max_difference", "sd"),
            (self.max_influence, finding.influence, "max_influence", "of a real token"),
        ]
        given = [(limit, value, name, unit) for limit, value, name, unit in limits if limit is not None]
        # NaN is within no limit, and so is what was not measured.
        if not given or not all(value is not None and value <= limit for limit, value, _, _ in given):
            return None
        return "within " + " and ".join(f"{name} = {limit:g} {unit}" for limit, _, name, unit in given)
