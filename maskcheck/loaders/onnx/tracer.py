"""Runs of the instrumented copy, in which every tensor of the file can be read and any be replaced."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property

from maskcheck.core.model import Array
from maskcheck.core.trace import Trace
from maskcheck.ir.dependence import Level
from maskcheck.loaders.onnx.attention import recompute
from maskcheck.loaders.onnx.constant_tensors import ConstantTensors
from maskcheck.loaders.onnx.contents import Contents
from maskcheck.loaders.onnx.runtime import run_session
from maskcheck.loaders.onnx.sessions import Sessions
from maskcheck.loaders.onnx.skeleton import PATCHED


class Tracer:
    """Traces one model, whose sessions are made and kept by ``sessions``."""

    def __init__(self, contents: Contents, sessions: Sessions) -> None:
        self._contents = contents
        self._sessions = sessions

    def trace(self, feeds: Mapping[str, Array], patches: Mapping[str, Array], record: Collection[str] | None) -> Trace:
        """One run; ``feeds`` and ``patches`` are of the declared types. Raises ``RunError`` and ``TraceError``."""
        computed = self._run(feeds, patches, record)
        contents = self._contents
        tensors = computed | self._inputs(feeds)
        tensors |= self._constants.all_small() if record is None else self._constants.select(record)
        return Trace(
            sites=contents.sites,
            tensors=tensors,
            outputs=self._outputs(computed, patches),
            shape_only=contents.dependence.shape_only,
            constants=contents.dependence.constants,
            attention=recompute(tensors, patches, contents.constants),
        )

    def _run(
        self, feeds: Mapping[str, Array], patches: Mapping[str, Array], record: Collection[str] | None
    ) -> dict[str, Array]:
        """What is to be recorded, by key. A full run computes constants as well, if none did before."""
        marks = self._marks(record)
        extra = self._constants.wanted - marks if record is None else frozenset()
        session = self._sessions.traced_session(
            marks | extra, {key: value.dtype.name for key, value in patches.items()}
        )
        wanted = [*marks, *extra]
        values = run_session(session, wanted, {**feeds, **{key + PATCHED: value for key, value in patches.items()}})
        found = dict(zip(wanted, values, strict=True))
        if record is None:
            self._constants.keep({key: found.pop(key) for key in extra})
        return found

    def _marks(self, record: Collection[str] | None) -> frozenset[str]:
        observable = self._observable if record is None else self._observable & frozenset(record)
        return observable | {key for key in self._contents.graph.outputs if self._contents.is_fetchable(key)}

    @cached_property
    def _observable(self) -> frozenset[str]:
        """Tensors that depend on the inputs and can be fetched."""
        contents = self._contents
        made = (key for node in contents.graph.nodes for key in node.makes if contents.is_fetchable(key))
        return frozenset(key for key in made if contents.dependence.level(key) is not Level.CONSTANT)

    @cached_property
    def _constants(self) -> ConstantTensors:
        return ConstantTensors(self._contents)

    def _outputs(self, computed: Mapping[str, Array], patches: Mapping[str, Array]) -> dict[str, Array]:
        """What the outputs of the copy read is the patch; what the site computed stays under its key."""
        seen = {**computed, **patches}
        return {key: seen[key] for key in self._contents.graph.outputs if key in seen}

    def _inputs(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """What the inputs held, the defaults of those that were not fed among them."""
        absent = (key for key in self._contents.graph.defaults if key not in feeds)
        defaults = {key: self._contents.constants.weight(key) for key in absent}
        return {**feeds, **{key: value for key, value in defaults.items() if value is not None}}
