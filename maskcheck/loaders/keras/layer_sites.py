"""Calls of layers that are one site each, with the masks they make."""

from __future__ import annotations

from typing import Any

from maskcheck.core.model import Array
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind
from maskcheck.loaders.keras.attention import weights_of
from maskcheck.loaders.keras.layer_calls import LayerCall
from maskcheck.loaders.keras.notes import Notes, repack
from maskcheck.loaders.keras.operations import layer_operation
from maskcheck.loaders.keras.tensors import tensors_in
from maskcheck.loaders.keras.trace_builder import PendingSite
from maskcheck.loaders.keras.translate.layers import translate_layer, translate_mask
from maskcheck.loaders.keras.translate.operands import layer_inputs


class LayerSites:
    """Runs layers and enters what they did. ``weighs`` says whether attention weights are recomputed: they come into
    ``attention``, by the names of the sites.
    """

    def __init__(self, notes: Notes, *, weighs: bool) -> None:
        self.attention: dict[str, Array] = {}
        self._notes = notes
        self._weighs = weighs

    def record(self, layer_call: LayerCall) -> Any:
        """Run a layer; returns what its readers are to get."""
        call = self._pending(layer_call)
        weights = self._weigh(layer_call)
        result = layer_call.invocation.run()
        outputs = list(tensors_in(result))
        site, values = self._notes.builder.write(call, self._inputs(layer_call), outputs)
        self._write_masks(call, layer_call, outputs)
        if site is not None:
            self._tell(site, layer_call, weights, result, values)
        return repack(result, values)

    def _pending(self, layer_call: LayerCall) -> PendingSite:
        layer, kind = layer_call.layer, layer_operation(layer_call.layer).kind
        read = layer_inputs(layer_call, kind, layer_call.masks_read(kind), self._notes.builder)
        return self._notes.place.pending(layer.name, type(layer).__name__, translate_layer(layer, read))

    def _inputs(self, layer_call: LayerCall) -> tuple[str, ...]:
        masks = layer_call.masks_read(layer_operation(layer_call.layer).kind)
        return self._notes.builder.keys((*layer_call.data, *masks, *layer_call.given))

    def _weigh(self, layer_call: LayerCall) -> Array | None:
        attends = self._weighs and layer_operation(layer_call.layer).kind is Kind.ATTENTION
        return weights_of(layer_call) if attends else None

    def _tell(self, site: Site, layer_call: LayerCall, weights: Array | None, result: Any, values: list[Any]) -> None:
        """Enter what is kept beside the site."""
        if weights is not None:
            self.attention[site.name] = weights
        if self._notes.journey is not None:
            self._notes.journey.layer(layer_call, site.name, result, values, self._notes.place.depth)

    def _write_masks(self, call: PendingSite, layer_call: LayerCall, outputs: list[Any]) -> None:
        """Enter masks that the layer made: from those that arrived, or from what it read."""
        builder = self._notes.builder
        data = builder.keys(layer_call.data)
        done = translate_mask(layer_call.layer, data)
        sources = data if done.settings is not None else builder.keys(layer_call.masks) or data
        mask = PendingSite(
            path=f"{call.path}/mask",
            operator="compute_mask",
            operation=done.operation,
            settings=done.settings,
            module=call.module,
            module_class=call.module_class,
        )
        builder.write_masks(mask, sources, outputs)
