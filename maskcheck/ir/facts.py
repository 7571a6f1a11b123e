"""Suspicious things that a graph shows without being run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from maskcheck.ir.constants import NOTHING_KNOWN, Constants
from maskcheck.ir.dependence import reads_size_only
from maskcheck.ir.fills import half_fills, weak_fills
from maskcheck.ir.frozen import baked_lengths, frozen_masks
from maskcheck.ir.graph import Graph, Site
from maskcheck.ir.input_use import InputUse, UseKind
from maskcheck.ir.operation import Kind
from maskcheck.ir.operation import Operation as Op
from maskcheck.ir.settings import Attention, Quantiser, Recurrence
from maskcheck.ir.static_fact import FactKind, Scene, StaticFact, fact_at, short_name

__all__ = ["FactKind", "StaticFact", "find_facts"]


def find_facts(
    graph: Graph,
    *,
    inputs: Sequence[str],
    outputs: Collection[str],
    uses: Sequence[InputUse],
    constants: Constants = NOTHING_KNOWN,
    dtypes: Mapping[str, str] | None = None,
    leaving_out: Collection[FactKind] = (),
) -> tuple[StaticFact, ...]:
    """Everything noticed: inputs first, and then site by site.

    Args:
        inputs, outputs: keys of the model's inputs and outputs.
        uses: what ``find_uses`` says of the inputs.
        dtypes: numpy's names of the types of tensors by their keys, as far as the loader knows them. What is said of
            fills depends on the type, and is not said where neither this nor a constant operand tells it.
        leaving_out: kinds that the framework tells better in another way.
    """
    scene = Scene(graph=graph, uses=tuple(uses), constants=constants, dtypes=dtypes or {})
    found = [*_unused(scene, inputs, outputs)]
    found += [fact for site in graph.sites for ask in _QUESTIONS for fact in ask(site, scene)]
    return tuple(fact for fact in found if fact.kind not in leaving_out)


# ------------------------------------------------------------------ inputs


def _unused(scene: Scene, inputs: Iterable[str], outputs: Collection[str]) -> Iterator[StaticFact]:
    used = {use.input for use in scene.uses}
    for name in inputs:
        if name not in used and not _handed_out(name, scene.graph, outputs):
            detail = f"input {name!r}: {_is_left(scene.graph.readers.get(name, ()))}"
            yield StaticFact(kind=FactKind.UNUSED_INPUT, site=None, detail=detail)


def _is_left(readers: Collection[Site]) -> str:
    """How an input without a use is read, in words."""
    if not readers:
        return "no operator reads it"
    sized = all(reads_size_only(site.operation) for site in readers)
    return "only its shape is read" if sized else "nothing is computed with it"


def _handed_out(name: str, graph: Graph, outputs: Collection[str]) -> bool:
    """Whether values of an input arrive at an output; one without a use can only have been moved there."""
    seen, stack = {name}, [name]
    while stack:
        readers = (r for r in graph.readers.get(stack.pop(), ()) if not reads_size_only(r.operation))
        fresh = {key for reader in readers for key in reader.outputs} - seen
        seen |= fresh
        stack += fresh
    return not seen.isdisjoint(outputs)


# ------------------------------------------------------------------ sites


def _lacks_lengths(site: Site, scene: Scene) -> Iterator[StaticFact]:
    told = site.settings if site.operation is not Op.PACK_SEQUENCE else None
    if isinstance(told, Recurrence) and told.takes_lengths and not told.knows_lengths:
        detail = f"{short_name(site)} ({told.direction}) is given neither lengths nor a mask"
        yield fact_at(site, FactKind.NO_LENGTHS, detail)


def _lacks_mask(site: Site, scene: Scene) -> Iterator[StaticFact]:
    told = site.settings
    if site.kind is Kind.ATTENTION and isinstance(told, Attention) and told.takes_mask and not told.has_mask:
        yield fact_at(site, FactKind.NO_MASK, f"{short_name(site)} is given no mask")


def _counts_keys(site: Site, scene: Scene) -> Iterator[StaticFact]:
    if site.kind is Kind.ATTENTION and isinstance(site.settings, Attention) and site.settings.lengths is not None:
        yield fact_at(site, FactKind.KEY_LENGTHS, f"{short_name(site)} is given the number of real keys of every row")


def _takes_index(site: Site, scene: Scene) -> Iterator[StaticFact]:
    """Attention that reads positions of the first pad (one number per row) instead of a mask."""
    told = site.settings
    if not isinstance(told, Attention) or told.mask is None:
        return
    ranks = {use.value for use in scene.uses if use.site == site.name and use.kind is UseKind.MASK}
    if told.mask_rank == 1 or (told.mask_rank is None and ranks == {1}):
        yield fact_at(site, FactKind.MASK_INDEX, f"{short_name(site)} reads one length per row instead of a mask")


def _quantises(site: Site, scene: Scene) -> Iterator[StaticFact]:
    block = site.settings.block if isinstance(site.settings, Quantiser) else None
    if site.kind is Kind.QUANTIZE and block is None:
        detail = f"{short_name(site)} takes its scale from the whole tensor"
        yield fact_at(site, FactKind.DYNAMIC_QUANTIZATION, detail)


_QUESTIONS: tuple[Callable[[Site, Scene], Iterator[StaticFact]], ...] = (
    _lacks_lengths,
    _lacks_mask,
    _counts_keys,
    baked_lengths,
    weak_fills,
    half_fills,
    frozen_masks,
    _quantises,
    _takes_index,
)
