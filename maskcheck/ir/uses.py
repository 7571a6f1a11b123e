"""How the inputs of a model are used, seen through operations that keep values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from maskcheck.ir.constants import NOTHING_KNOWN, Constants
from maskcheck.ir.dependence import reads_size_only
from maskcheck.ir.graph import Graph, Site
from maskcheck.ir.input_use import InputUse, UseKind
from maskcheck.ir.marks import Mark, hides_steps, mark_behind, mark_of
from maskcheck.ir.meanings import Meaning, lookup_of, meaning_of, padding_row
from maskcheck.ir.operation import Operation
from maskcheck.ir.views import View, handed_on, view_behind
from maskcheck.ir.wraps import Wraps, find_wraps

__all__ = ["InputUse", "UseKind", "find_uses"]


def find_uses(
    graph: Graph, inputs: Mapping[str, int | None], constants: Constants = NOTHING_KNOWN, *, recorded: bool = False
) -> tuple[InputUse, ...]:
    """All uses of all inputs, input by input, in the order in which the sites run.

    Args:
        graph: its sites hold settings; where they hold none, operands are told by their place.
        inputs: the rank of every input by its key, ``None`` where it is not declared.
        constants: tables, bounds and fills.
        recorded: the sites are those of one run, in which a loop over steps picks one column after another. Else one
            column alone is a feature of a table, whose numbers say nothing of the input as a whole.
    """
    wraps = find_wraps(graph, constants)
    walks = (_Walk(name, rank, graph, constants, wraps, not recorded) for name, rank in inputs.items())
    return tuple(use for walk in walks for use in walk.uses())


@dataclass(slots=True)
class _Walk:
    """Follows one input: the tensors that hold its values, and the masks that tell where they equal something."""

    name: str
    rank: int | None
    graph: Graph
    constants: Constants
    wraps: Wraps
    columns: bool
    _views: dict[str, View] = field(default_factory=dict)
    _marks: dict[str, Mark] = field(default_factory=dict)
    _found: dict[InputUse, tuple[Site, str]] = field(default_factory=dict)
    _hiding: set[str] = field(default_factory=set)

    def uses(self) -> Iterator[InputUse]:
        """All uses. Rows kept for padding come last: they depend, as masking does, on how else the input is used."""
        self._views[self.name] = View(rank=self.rank)
        for site in self.graph.sites:
            if not reads_size_only(site.operation) and site.operation is not Operation.CONSTANT:
                self._pass(site)
        yield from self._maskings()
        yield from dict.fromkeys(self._paddings())

    def _pass(self, site: Site) -> None:
        mark = next((self._marks[key] for key in site.inputs if key in self._marks), None)
        if mark is not None and (behind := mark_behind(site.operation, mark)) is not None:
            self._marks.update(dict.fromkeys(site.outputs, behind))
        if site.name in self.wraps.inner:
            return
        for key in site.inputs:
            if key in self._views:
                self._read(site, key, mark)

    def _read(self, site: Site, key: str, mark: Mark | None) -> None:
        """Follow a tensor that shows the input through ``site``, and note what else is done with it there."""
        handed = self._handed_on(site, key)
        if handed:
            shown = [self._views[k] for k in site.inputs if k in self._views and self._handed_on(site, k)]
            behind = view_behind(site, shown, self.constants, columns=self.columns)
            self._views.update(dict.fromkeys(handed, behind))
        if not handed or any(key in self.graph.readers for key in site.outputs[len(handed) :]):
            self._note(site, key, self._meaning(site, key, mark))

    def _handed_on(self, site: Site, key: str) -> tuple[str, ...]:
        return site.outputs if self.wraps.ids.get(site.name) == key else handed_on(site, key)

    def _meaning(self, site: Site, key: str, mark: Mark | None) -> Meaning:
        meaning = meaning_of(site, key, self._views[key], self.constants)
        if mark is not None and meaning[0] is UseKind.OTHER and hides_steps(site, mark):
            self._hiding.add(site.name)
            return UseKind.MASKING, mark.value
        return meaning

    def _note(self, site: Site, key: str, meaning: Meaning) -> None:
        kind, value = meaning
        self._found.setdefault(self._use(site, kind, value), (site, key))
        if kind is UseKind.COMPARE and value is not None and (mark := mark_of(site.operation, value)) is not None:
            self._marks.update(dict.fromkeys(site.outputs, mark))

    def _maskings(self) -> Iterator[InputUse]:
        """The uses found. An input that is computed with elsewhere as well does not enter where it is hidden."""
        elsewhere = any(use.kind is UseKind.OTHER for use in self._found)
        for use in self._found:
            hidden = use.kind is UseKind.MASKING and use.site in self._hiding
            yield replace(use, kind=UseKind.OTHER, value=None) if hidden and elsewhere else use

    def _paddings(self) -> Iterator[InputUse]:
        compared = any(use.kind is UseKind.COMPARE for use in self._found)
        for use, (site, key) in self._found.items():
            lookup = lookup_of(site, key, self.constants) if use.kind is UseKind.INDEX else None
            if lookup is None:
                continue
            row = padding_row(site, key, lookup, self.constants, compared=compared)
            if row is not None:
                yield self._use(site, UseKind.PADDING, row)

    def _use(self, site: Site, kind: UseKind, value: float | int | None) -> InputUse:
        return InputUse(
            input=self.name,
            kind=kind,
            site=site.name,
            operator=site.operator,
            operation=site.operation,
            value=value,
        )
