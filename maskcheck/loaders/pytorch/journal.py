"""The sites of one recording, each under a name that is the same in every run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import FrameType

from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation
from maskcheck.ir.settings import Settings
from maskcheck.ir.source import SourceLine, running_user_line
from maskcheck.loaders.pytorch.modules import ModuleStack


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an operator was called. ``module`` is a dotted path, empty for the root."""

    module: str | None
    module_class: str | None
    source: SourceLine | None


@dataclass(slots=True, kw_only=True)
class Journal:
    """Names places and keeps the sites.

    ``told`` is where the program is, when something other than the Python stack knows it better. ``is_outside`` says
    of a frame that the program was called from there.
    """

    modules: ModuleStack
    is_outside: Callable[[FrameType], bool]
    told: Place | None = None
    sites: list[Site] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)

    def name(self, operator: str) -> tuple[str, Place]:
        """A name for a site, and where it is: module and call, operator, line, and how many came before it there."""
        label, place = self._whereabouts()
        text = f"{label}/{operator}" if label else operator
        if place.source is not None:
            text += f":{place.source.line}"
        count = self._counts[text]
        self._counts[text] += 1
        return (text if count == 0 else f"{text}#{count}"), place

    def add(
        self,
        name: str,
        place: Place,
        *,
        operator: str,
        operation: Operation,
        reads: Iterable[str],
        makes: Sequence[str],
        settings: Settings | None = None,
    ) -> None:
        """Keep a site of one of torch's operators. Each tensor it reads is named once."""
        self.sites.append(
            Site(
                name=name,
                operator=f"aten.{operator}",
                operation=operation,
                settings=settings,
                inputs=tuple(dict.fromkeys(reads)),
                outputs=tuple(makes),
                module=place.module or None,
                module_class=place.module_class,
                source=place.source,
            )
        )

    def add_output(self, name: str, key: str) -> None:
        """Outputs are sites of their own, which move the tensor ``key`` under the output's name."""
        self.sites.append(
            Site(
                name=f"output:{name}",
                operator="output",
                operation=Operation.IDENTITY,
                inputs=(key,),
                outputs=(name,),
            )
        )

    def _whereabouts(self) -> tuple[str, Place]:
        if self.told is not None:
            return self.told.module or "", self.told
        call = self.modules.current
        place = Place(module=call.path, module_class=call.kind, source=running_user_line(self.is_outside))
        return call.label, place
