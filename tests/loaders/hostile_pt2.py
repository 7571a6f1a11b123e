"""Hostile ``.pt2`` files: an ordinary one with one door opened, behind which code would leave a marker."""

from __future__ import annotations

import io
import json
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

PROGRAM = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"
SAMPLES = "data/sample_inputs/model.pt"


class Ordinary(nn.Module):
    """Embedding, constant, buffer and a linear head: something of everything an archive holds."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(30, 8)
        self.head = nn.Linear(8, 3)
        self.scale = torch.ones(8)
        self.register_buffer("places", torch.arange(64.0), persistent=False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, options: dict[str, Any]) -> dict[str, Tensor]:
        hidden = self.table(input_ids) * self.scale + self.places[: input_ids.shape[1]][None, :, None]
        with torch.no_grad():
            weights = attention_mask / attention_mask.sum(1, keepdim=True)
        return {"logits": self.head((hidden * weights[:, :, None] * options["by"]).sum(1))}


def example() -> dict[str, Any]:
    ids = torch.arange(21).reshape(3, 7)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "options": {"by": torch.ones(1), "how": "mean"}}


def exported() -> torch.export.ExportedProgram:
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    shapes = {"input_ids": free, "attention_mask": free, "options": {"by": None, "how": None}}
    torch.manual_seed(0)
    return torch.export.export(Ordinary().eval(), (), example(), dynamic_shapes=shapes)


@dataclass
class Archive:
    """The entries of an archive by their names below its root folder, in order; a name may come twice."""

    entries: list[tuple[str, bytes]]
    root: str = "archive"
    methods: dict[str, int] = field(default_factory=dict)

    @classmethod
    def ordinary(cls) -> Archive:
        buffer = io.BytesIO()
        torch.export.save(exported(), buffer)
        with zipfile.ZipFile(buffer) as file:
            return cls([(name.partition("/")[2], file.read(name)) for name in file.namelist()])

    def write(self, path: Path) -> Path:
        with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as file:
            warnings.simplefilter("ignore")  # of names that come twice
            for name, content in self.entries:
                full = f"{self.root}/{name}" if self.root else name
                file.writestr(full, content, compress_type=self.methods.get(name, zipfile.ZIP_STORED))
        return path

    def read(self, name: str) -> Any:
        return json.loads(dict(self.entries)[name])

    def put(self, name: str, content: bytes) -> None:
        self.entries = [(n, content if n == name else c) for n, c in self.entries]

    def rename(self, name: str, new: str) -> None:
        self.entries = [(new if n == name else n, c) for n, c in self.entries]

    def edit(self, name: str, change: Callable[[Any], None]) -> None:
        content = self.read(name)
        change(content)
        self.put(name, json.dumps(content).encode())

    def replace_text(self, old: str, new: str) -> None:
        """Replace a JSON string by another wherever it stands in the program."""
        self.put(PROGRAM, dict(self.entries)[PROGRAM].replace(json.dumps(old).encode(), json.dumps(new).encode()))


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.mark),)


def saved(thing: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer)
    return buffer.getvalue()


def touching(mark: Path) -> str:
    """An expression that leaves the marker and is ``None``."""
    return f"__import__('os').mkdir('{mark}')"


def spelled(mark: Path) -> str:
    """The same without a quote or a dot."""
    return f"exec(bytes({list(f'import os; os.mkdir({str(mark)!r})'.encode())}))"


def _nodes(program: Any) -> list[Any]:
    return program["graph_module"]["graph"]["nodes"]


def _argument(name: str, kind: str, value: Any) -> dict[str, Any]:
    return {"name": name, "arg": {kind: value}, "kind": 1}


def _appended(archive: Archive, target: str, inputs: list[dict[str, Any]], out: dict[str, Any] | None = None) -> None:
    """A node more, before all others, whose tensor nobody uses."""

    def change(program: Any) -> None:
        like = program["graph_module"]["graph"]["tensor_values"]["attention_mask"]
        program["graph_module"]["graph"]["tensor_values"]["more"] = like
        node = {"target": target, "inputs": inputs, "outputs": [out or {"as_tensor": {"name": "more"}}]}
        _nodes(program).insert(0, {**node, "metadata": {}, "name": "more", "is_hop_single_tensor_return": None})

    archive.edit(PROGRAM, change)


def guards(archive: Archive, mark: Path) -> None:
    archive.edit(PROGRAM, lambda p: p["guards_code"].append(f"[{touching(mark)}, True][1]"))


def size_expression(archive: Archive, mark: Path) -> None:
    values = archive.read(PROGRAM)["graph_module"]["graph"]["tensor_values"]["input_ids"]
    text = values["sizes"][0]["as_expr"]["expr_str"]
    archive.replace_text(text, f"{touching(mark)} or {text}")


def symbol_name(archive: Archive, mark: Path) -> None:
    """The expression hides in what looks like a string."""
    values = archive.read(PROGRAM)["graph_module"]["graph"]["tensor_values"]["input_ids"]
    text = values["sizes"][0]["as_expr"]["expr_str"]
    archive.replace_text(text, text.replace("integer=True", f"integer=[True, {touching(mark)}][0]"))


def opaque_constant(archive: Archive, mark: Path) -> None:
    content = pickle.dumps(Payload(mark))
    archive.entries.append(("data/constants/opaque_obj_0", content + bytes(-len(content) % 8)))
    entry = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": False, "tensor_meta": None}
    meta = next(iter(archive.read(CONSTANTS)["config"].values()))["tensor_meta"]
    archive.edit(CONSTANTS, lambda c: c["config"].update(extra=entry | {"tensor_meta": meta}))


def weights_beside(archive: Archive, mark: Path) -> None:
    archive.entries.append(("data/weights/model.pt", saved({"a": Payload(mark)})))


def constants_beside(archive: Archive, mark: Path) -> None:
    archive.entries.append(("data/constants/model.pt", saved({"a": Payload(mark)})))


def pickled_weight(archive: Archive, mark: Path) -> None:
    archive.put("data/weights/weight_0", saved(Payload(mark)))
    archive.edit(WEIGHTS, lambda c: next(iter(c["config"].values())).update(use_pickle=True))


def pickled_weight_elsewhere(archive: Archive, mark: Path) -> None:
    """The configuration's name in other letters: read by torch, and by no list of names."""
    clean = dict(archive.entries)[WEIGHTS]
    pickled_weight(archive, mark)
    archive.rename(WEIGHTS, WEIGHTS.replace("config.json", "config.JSON"))
    archive.entries.insert(0, (WEIGHTS, clean))


def samples(archive: Archive, mark: Path) -> None:
    archive.put(SAMPLES, saved(((), {"x": Payload(mark)})))


def samples_in_capitals(archive: Archive, mark: Path) -> None:
    samples(archive, mark)
    archive.rename(SAMPLES, "data/SAMPLE_INPUTS/model.pt")


def samples_twice(archive: Archive, mark: Path) -> None:
    archive.entries.insert(0, (SAMPLES, saved(((), {"x": Payload(mark)}))))


def before_2_8(archive: Archive, mark: Path) -> None:
    program = dict(archive.entries)[PROGRAM]
    archive.root = ""
    archive.entries = [
        ("version", b"8.20"),
        ("serialized_exported_program.json", program),
        ("serialized_state_dict.pt", saved({"a": Payload(mark)})),
        ("serialized_constants.pt", saved({})),
        ("serialized_example_inputs.pt", b""),
    ]


def file_operator(archive: Archive, mark: Path) -> None:
    arguments = [("filename", "as_string", str(mark)), ("shared", "as_bool", True), ("size", "as_int", 63)]
    _appended(archive, "torch.ops.aten.from_file.default", [_argument(*a) for a in arguments])


def saving_operator(archive: Archive, mark: Path) -> None:
    inputs = [_argument("item", "as_tensor", {"name": "attention_mask"}), _argument("filename", "as_string", str(mark))]
    _appended(archive, "torch.ops.aten.save.default", inputs, {"as_none": True})


def function_of_torch(archive: Archive, mark: Path) -> None:
    _appended(archive, "torch.os.mkdir", [_argument("path", "as_string", str(mark))])


def function_for_an_operator(archive: Archive, mark: Path) -> None:
    """A function handed to a higher-order operator that calls what it is handed."""
    inputs = [_argument("enabled", "as_bool", True), _argument("f", "as_operator", "torch.os.mkdir")]
    _appended(
        archive,
        "torch.ops.higher_order.wrap_with_set_grad_enabled",
        [*inputs, _argument("path", "as_string", str(mark))],
    )


def enumeration(archive: Archive, mark: Path) -> None:
    """A member of an enumeration in the module that the test puts on the path under the name ``evil``."""
    member = {"__enum__": True, "fqn": f"{evil_module(mark)}:Colour", "name": "RED"}
    edit_spec(archive, "out_spec", lambda spec: spec.update(context=json.dumps([member])))


def default_factory(archive: Archive, mark: Path) -> None:
    made = {"default_factory_module": evil_module(mark), "default_factory_name": "Colour", "dict_context": ["logits"]}
    edit_spec(archive, "out_spec", lambda spec: spec.update(type="collections.defaultdict", context=made))


def evil_module(mark: Path) -> str:
    """A module beside the marker that makes it when imported; its folder has to be on the path."""
    name = f"evil_{mark.parent.name}".replace("-", "_")
    code = f"import enum, os\nos.mkdir({str(mark)!r})\nclass Colour(enum.Enum):\n    RED = 1\n"
    (mark.parent / f"{name}.py").write_text(code, encoding="utf-8")
    return name


def edit_spec(archive: Archive, which: str, change: Callable[[Any], None]) -> None:
    def edit(program: Any) -> None:
        signature = program["graph_module"]["module_call_graph"][0]["signature"]
        protocol, spec = json.loads(signature[which])
        change(spec)
        signature[which] = json.dumps([protocol, spec])

    archive.edit(PROGRAM, edit)


def parameter_name(archive: Archive, mark: Path) -> None:
    """The name of an input is written into the head of a function that is then made."""
    archive.replace_text("attention_mask", f"attention_mask, more={touching(mark)}")


def forward_name(archive: Archive, mark: Path) -> None:
    def change(program: Any) -> None:
        names = program["graph_module"]["module_call_graph"][0]["signature"]["forward_arg_names"]
        names[-1] += f"={touching(mark)}"

    archive.edit(PROGRAM, change)


def weight_name(archive: Archive, mark: Path) -> None:
    """The path of a weight is written into the function's body, in quotes."""
    new = f'head" + str({spelled(mark)}) + "'
    old = json.dumps("head.weight")
    for part in (PROGRAM, WEIGHTS):
        text = dict(archive.entries)[part].replace(old.encode(), json.dumps(f"{new}.weight").encode())
        archive.put(part, text)


def constant_text(archive: Archive, mark: Path) -> None:
    """A constant input's text is written into the guards, in quotes."""
    new = f"' + str({touching(mark)}) + '"
    archive.replace_text("mean", new)
    given = example()
    archive.put(SAMPLES, saved(((), {**given, "options": {**given["options"], "how": new}})))


def key_of_input(archive: Archive, mark: Path) -> None:
    """The key of a nested input is written into the guards' message, in other quotes."""
    key = f'how" + str({spelled(mark)}) + "'

    def change(spec: Any) -> None:
        spec["children_spec"][1]["children_spec"][2]["context"] = json.dumps(["by", key])

    edit_spec(archive, "in_spec", change)
    given = example()
    archive.put(SAMPLES, saved(((), {**given, "options": {"by": given["options"]["by"], key: "mean"}})))


@dataclass(frozen=True)
class Door:
    """A way in: what opens it, what the refusal has to name, and whether torch 2.13 walks in when it may."""

    open: Callable[[Archive, Path], None]
    names: str = ""
    fires: bool = True


DOORS = (
    Door(guards, "guard"),
    Door(size_expression, "size"),
    Door(symbol_name, "size"),
    Door(opaque_constant, "opaque_obj_0"),
    Door(weights_beside, r"data/weights/model\.pt"),
    Door(constants_beside, r"data/constants/model\.pt"),
    Door(pickled_weight, "unpickler"),
    Door(pickled_weight_elsewhere, "twice"),
    Door(samples, "sample_inputs"),
    Door(samples_in_capitals, "SAMPLE_INPUTS"),
    Door(samples_twice, "twice"),
    Door(before_2_8, r"serialized_state_dict\.pt"),
    Door(file_operator, "from_file"),
    Door(saving_operator, "save", fires=False),
    Door(function_of_torch, r"torch\.os\.mkdir", fires=False),
    Door(function_for_an_operator, "as_operator", fires=False),
    Door(enumeration, "out_spec"),
    Door(default_factory, "out_spec"),
    Door(parameter_name, "name"),
    Door(forward_name, "name", fires=False),
    Door(weight_name, "name"),
)
HARMLESS = (Door(constant_text), Door(key_of_input))
"""Nothing is wrong with these files, but torch would write a text of theirs into code."""


def hostile(door: Door, folder: Path) -> tuple[Path, Path]:
    """The file behind the door, and the marker that its code would leave."""
    archive, mark = Archive.ordinary(), folder / "ran"
    door.open(archive, mark)
    return archive.write(folder / "model.pt2"), mark
