"""An exported program put together from the parts of a file that were checked, and from nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskcheck.loaders.pytorch.pt2 import pickles, schema
from maskcheck.loaders.pytorch.pt2.archive import Archive, known_only, opened
from maskcheck.loaders.pytorch.pt2.guards import Guard, guards
from maskcheck.loaders.pytorch.pt2.refusal import Damaged, Refused, inside
from maskcheck.loaders.pytorch.pt2.tensors import tensors

_FORMAT, _PROGRAM, _SAMPLES = "archive_format", "models/model.json", "data/sample_inputs/model.pt"
_WEIGHTS, _CONSTANTS = "data/weights/model_weights_config.json", "data/constants/model_constants_config.json"
_KNOWN = re.compile(
    r"archive_format|archive_version|version|byteorder|\.format_version|\.storage_alignment"
    r"|\.data/(version|serialization_id)"
    r"|models/model\.json|data/sample_inputs/model\.pt"
    r"|data/weights/(model_weights_config\.json|weight_\d{1,9})"
    r"|data/constants/(model_constants_config\.json|tensor_\d{1,9})"
    r"|extra/.+"  # texts that nothing here reads
)
_OLD_PROGRAM, _OLD_SAMPLES = "serialized_exported_program.json", "serialized_example_inputs.pt"
_OLD_WEIGHTS, _OLD_CONSTANTS = "serialized_state_dict.pt", "serialized_constants.pt"
_OLD_KNOWN = re.compile(
    r"version|serialized_(exported_program\.json|(example_inputs|state_dict|constants)\.pt)|extra_files/.+"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A program that torch made from checked parts, and its conditions on sizes, which torch did not get."""

    program: Any
    guards: tuple[Guard, ...]

    def check(self, leaves: Sequence[Any]) -> None:
        """Raise ``AssertionError`` where the inputs, in a row, are not those that the program was exported for."""
        for guard in self.guards:
            guard.check(leaves)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    program: dict[str, Any]
    weights: dict[str, Any]
    constants: dict[str, Any]
    examples: tuple[tuple[Any, ...], dict[str, Any]] | None


def checked(path: Path) -> Checked:
    """The program in a file, whatever stands in the file.

    Raises:
        Refused: a part might run something.
        Damaged: a part is not what the format asks for.
    """
    try:
        with opened(path) as archive:
            parts = _parts(archive) if _FORMAT in archive else _old_parts(archive)
    except RecursionError as error:
        raise Refused("it is nested too deeply") from error
    with inside(_PROGRAM):
        conditions = guards(parts.program)
    return Checked(program=_program(parts), guards=conditions)


def _parts(archive: Archive) -> _Parts:
    known_only(archive, lambda name: _KNOWN.fullmatch(name) is not None, _described)
    _check_text(archive, _FORMAT, "pt2")
    _check_text(archive, "archive_version", "0")
    if "byteorder" in archive:
        _check_text(archive, "byteorder", "little")
    return _Parts(
        program=_checked_program(archive, _PROGRAM),
        weights=tensors(archive, _WEIGHTS),
        constants=tensors(archive, _CONSTANTS),
        examples=pickles.example_inputs(archive, _SAMPLES),
    )


def _old_parts(archive: Archive) -> _Parts:
    """As torch wrote them before version 2.8."""
    known_only(archive, lambda name: _OLD_KNOWN.fullmatch(name) is not None, _described)
    return _Parts(
        program=_checked_program(archive, _OLD_PROGRAM),
        weights=pickles.table(archive, _OLD_WEIGHTS),
        constants=pickles.table(archive, _OLD_CONSTANTS),
        examples=pickles.example_inputs(archive, _OLD_SAMPLES),
    )


def _described(name: str) -> str:
    if name.endswith((".pt", ".pkl")) or "_obj_" in name:
        return "it is a pickle, which runs when it is opened"
    if name.endswith((".so", ".cubin", ".py", ".cpp", ".o")) or name.startswith("data/aotinductor/"):
        return "it is compiled or other code"
    return "torch.export.save writes no such entry"


def _check_text(archive: Archive, name: str, wanted: str) -> None:
    found = archive.read(name, 100).decode("utf-8", "replace").strip()
    if found != wanted:
        raise Refused(f"it says {found!r} where only {wanted!r} is known", name)


def _checked_program(archive: Archive, name: str) -> dict[str, Any]:
    content = archive.read_json(name)
    with inside(name):
        return schema.program(content)


def _program(parts: _Parts) -> Any:
    """Torch's own assembly; weights come as tensors, so it has nothing to unpickle, and no guards to run."""
    from torch._export.serde import schema as torch_schema
    from torch._export.serde.serialize import ExportedProgramDeserializer, _dict_to_dataclass

    described = _dict_to_dataclass(torch_schema.ExportedProgram, {**parts.program, "guards_code": []})
    program = ExportedProgramDeserializer().deserialize(described, parts.weights, parts.constants, parts.examples)
    if program.example_inputs is not None:
        _check_count(program)
    return program


def _check_count(program: Any) -> None:
    from torch.utils import _pytree as pytree

    given = len(pytree.tree_leaves(program.example_inputs))
    if given != program.call_spec.in_spec.num_leaves:
        raise Damaged("the example inputs are not those of the program", _SAMPLES)
