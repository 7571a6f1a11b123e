"""Which rules count, by the beginnings of their codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from maskcheck.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class Selection:
    """Prefixes of codes: those of ``select`` count (all, where it is empty), those of ``ignore`` do not.

    Of two prefixes that fit a code the longer one decides: ``--select MC1 --ignore MC105``, and the other way round.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def reason(self, code: str) -> str | None:
        """Return why findings of the rule ``code`` are let pass, or ``None`` where they count."""
        chosen, ignored = _longest(self.select, code), _longest(self.ignore, code)
        if ignored is not None and (chosen is None or len(ignored) >= len(chosen)):
            return f"--ignore {ignored}"
        if self.select and chosen is None:
            return f"not among --select {','.join(self.select)}"
        return None


def prefixes(given: Iterable[str], codes: Iterable[str], flag: str) -> tuple[str, ...]:
    """Return the prefixes in ``given``, each of which may hold several with commas between them.

    Raises:
        UsageError: a prefix fits none of ``codes``.
    """
    known = list(codes)
    found = [part.strip().upper() for value in given for part in value.split(",") if part.strip()]
    for prefix in found:
        if not any(code.startswith(prefix) for code in known):
            raise UsageError(
                f"{flag} {prefix}: no rule has a code that begins so.",
                hint="Codes look like MC101; MC1 stands for all of MC101 to MC199. `maskcheck rules` lists them.",
            )
    return tuple(dict.fromkeys(found))


def _longest(given: tuple[str, ...], code: str) -> str | None:
    return max((prefix for prefix in given if code.startswith(prefix)), key=len, default=None)
