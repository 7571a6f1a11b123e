"""The words of this package: a rule, a match, a diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maskcheck.core.evidence import Evidence
    from maskcheck.core.report import RootCause
    from maskcheck.ir.graph import Site

FRAMEWORKS = ("pytorch", "keras", "onnx")
"""The frameworks every rule says how to mend a leak in."""

_SPEAKS = {
    "torch": "pytorch",
    "torchscript": "pytorch",
    "exported-program": "pytorch",
    "huggingface": "pytorch",
    "transformers": "pytorch",
    "tensorflow": "keras",
    "saved-model": "keras",
    "savedmodel": "keras",
    "tf": "keras",
    "onnxruntime": "onnx",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One mechanism by which padding leaks, as text.

    ``what`` is the arithmetic of the leak, ``why`` its effect on a user, ``arises`` how it usually comes about, ``see``
    what an audit shows. ``fix`` has one entry for each of ``FRAMEWORKS``. ``leaky`` and ``mended`` are Python snippets.
    ``mechanisms`` are entries of the mechanism catalogue, ``references`` addresses of public threads. ``severity`` is
    "warning" where the mechanism is a hazard rather than a bug, else ``None``.
    """

    code: str
    name: str
    summary: str
    family: str
    mechanisms: tuple[str, ...]
    what: str
    why: str
    arises: str
    see: str
    fix: Mapping[str, str]
    leaky: str
    mended: str
    references: tuple[str, ...] = ()
    severity: str | None = None

    def mend(self, framework: str) -> str:
        """Return the fix for ``framework``; frameworks without a text of their own get that of their nearest kin."""
        name = framework.lower()
        return self.fix[name if name in FRAMEWORKS else _SPEAKS.get(name, "pytorch")]


@dataclass(frozen=True, slots=True)
class Match:
    """A rule applies: ``message`` says in one sentence what this site does.

    ``site`` is the place to look at, where that is not the origin itself.
    """

    message: str
    root_cause: RootCause | None = None
    site: Site | None = None


Matcher = Callable[["Evidence"], "Match | str"]
"""Decides whether a rule applies. The ``str`` is the reason why it does not."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why an origin leaks and how to mend it. ``considered`` pairs each rule tried first with why it does not apply.

    ``site`` is the place to look at: the origin, or the softmax whose weights the origin multiplies values with.
    """

    rule: Rule
    message: str
    fix: str
    root_cause: RootCause | None
    considered: tuple[tuple[str, str], ...]
    site: Site | None = None
