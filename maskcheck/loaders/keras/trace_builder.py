"""What one instrumented run wrote down: which call made which tensor from which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskcheck.core.model import Array
from maskcheck.ir.dependence import Level, level_after
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation
from maskcheck.ir.settings import Settings
from maskcheck.ir.source import SourceLine
from maskcheck.loaders.keras.tensors import copy, dtype_of, identity, mask_of, read, replace_values


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingSite:
    """One call of a layer or operator, before its results are named."""

    path: str
    operator: str
    operation: Operation
    settings: Settings | None = None
    module: str | None = None
    module_class: str | None = None
    source: SourceLine | None = None


class TraceBuilder:
    """Keys of all tensors that the inputs reach, the sites that made them, and what they held.

    A key is the path of the layer, ``#`` and the how many-th call of it this was; it is the same in every run. Tensors
    in ``patches`` are handed on with the given value, while ``tensors`` keeps what was computed. ``wanted`` limits what
    is kept (``None``: everything). ``dtypes`` are the names of the types of all of them.
    """

    def __init__(self, patches: Mapping[str, Array], wanted: Collection[str] | None) -> None:
        self.sites: list[Site] = []
        self.tensors: dict[str, Array] = {}
        self.dtypes: dict[str, str] = {}
        self._levels: dict[str, Level] = {}
        self._patches = patches
        self._wanted = wanted
        self._keys: dict[int, str] = {}
        self._alive: list[Any] = []  # identities are free again once a tensor is gone
        self._calls: Counter[str] = Counter()
        self._makers: dict[str, str] = {}

    def feed(self, name: str, tensor: Any) -> Any:
        """Enter a model input; returns the tensor to run the model on."""
        self._levels[name] = Level.DATA
        return self._enter(name, tensor)

    def level(self, key: str) -> Level:
        """What a tensor depends on, as far as the run has come."""
        return self._levels.get(key, Level.CONSTANT)

    def key(self, tensor: Any) -> str | None:
        """The key of a tensor, or ``None`` for one that no input reaches."""
        return self._keys.get(identity(tensor))

    def keys(self, tensors: Iterable[Any]) -> tuple[str, ...]:
        """Keys of those tensors that have one, each once."""
        found = (self.key(t) for t in tensors if t is not None)
        return tuple(dict.fromkeys(k for k in found if k is not None))

    def maker(self, tensor: Any) -> str | None:
        """Name of the site that made a tensor."""
        key = self.key(tensor)
        return self._makers.get(key) if key is not None else None

    def write(
        self, call: PendingSite, inputs: tuple[str, ...], outputs: Sequence[Any]
    ) -> tuple[Site | None, list[Any]]:
        """Enter one call and return its site with the tensors that its readers are to get.

        Nothing is entered for a call that no input reaches: its results are constants.
        """
        count = self._calls[call.path]
        self._calls[call.path] += 1
        if not inputs:
            return None, list(outputs)
        site = _site(call, count, inputs, len(outputs))
        self.sites.append(site)
        self._levels.update(dict.fromkeys(site.outputs, level_after(site.operation, map(self.level, inputs))))
        self._makers.update(dict.fromkeys(site.outputs, site.name))
        return site, [self._enter(key, tensor) for key, tensor in zip(site.outputs, outputs, strict=True)]

    def write_masks(self, call: PendingSite, inputs: tuple[str, ...], outputs: Iterable[Any]) -> Site | None:
        """Enter the masks beside ``outputs`` that this call made anew."""
        masks = {identity(m): m for m in (mask_of(t) for t in outputs) if m is not None}
        new = [m for m in masks.values() if self.key(m) is None]
        return self.write(call, inputs, new)[0] if new else None

    def _enter(self, key: str, tensor: Any) -> Any:
        if identity(tensor) in self._keys:
            tensor = copy(tensor)  # a layer that hands its input through: two names need two tensors
        if self._wanted is None or key in self._wanted:
            self.tensors[key] = read(tensor)
        if key in self._patches:
            tensor = replace_values(tensor, self._patches[key])
        self.dtypes[key] = dtype_of(tensor)
        self._keys[identity(tensor)] = key
        self._alive.append(tensor)
        return tensor


def _site(call: PendingSite, count: int, inputs: tuple[str, ...], makes: int) -> Site:
    """The site of the ``count``-th call at its path, which ``makes`` so many tensors."""
    key = f"{call.path}#{count}"
    return Site(
        name=key if count else call.path,
        operator=call.operator,
        operation=call.operation,
        inputs=inputs,
        outputs=(key,) if makes == 1 else tuple(f"{key}:{i}" for i in range(makes)),
        settings=call.settings,
        module=call.module,
        module_class=call.module_class,
        source=call.source,
    )
