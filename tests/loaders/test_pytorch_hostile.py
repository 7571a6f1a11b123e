"""Exported programs from strangers: every known door is shut, and ordinary programs come through with equal answers."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn

from maskcheck import loaders
from maskcheck.core.errors import LoadError, RunError
from maskcheck.core.settings import Settings
from tests.loaders import hostile_pt2
from tests.loaders.hostile_pt2 import CONSTANTS, DOORS, HARMLESS, PROGRAM, SAMPLES, WEIGHTS, Archive, Door

FREE = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}


def name_of(door: Door) -> str:
    return door.open.__name__


# ---------------------------------------------------------------------- doors


@pytest.mark.parametrize("door", DOORS, ids=name_of)
def test_the_door_is_shut(door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    path, mark = hostile_pt2.hostile(door, tmp_path)
    with pytest.raises(LoadError, match=rf"refused: .*{door.names}.*--trust"):
        loaders.load(path, Settings())
    assert not mark.exists()


@pytest.mark.parametrize("door", HARMLESS, ids=name_of)
def test_text_that_torch_would_quote_in_code_stays_text(door: Door, tmp_path: Path) -> None:
    path, mark = hostile_pt2.hostile(door, tmp_path)
    model = loaders.load(path, Settings())
    model.run({"input_ids": np.ones((2, 5), np.int64), "attention_mask": np.ones((2, 5), np.int64)} | by(model))
    assert not mark.exists()


def by(model: Any) -> dict[str, Any]:
    return {spec.name: np.ones(1, np.float32) for spec in model.inputs if spec.name.startswith("options")}


@pytest.mark.parametrize("door", [d for d in (*DOORS, *HARMLESS) if d.fires], ids=name_of)
def test_behind_the_door_something_waits(door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``--trust`` torch loads the file as it is: the tests above would notice an open door."""
    monkeypatch.syspath_prepend(tmp_path)
    path, mark = hostile_pt2.hostile(door, tmp_path)
    with suppress(LoadError):
        loaders.load(path, Settings(trust=True))
    assert mark.exists()


# ---------------------------------------------------------------------- archives


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    path = Archive.ordinary().write(tmp_path / "model.pt2")
    content = bytearray(path.read_bytes())
    start = content.rindex(b"PK\x01\x02")
    struct.pack_into("<H", content, start + 8, 1)
    path.write_bytes(content)
    with pytest.raises(LoadError, match=r"refused: .*encrypted"):
        loaders.load(path, Settings())


def test_a_zip_file_of_a_later_version_is_an_error(tmp_path: Path) -> None:
    path = Archive.ordinary().write(tmp_path / "model.pt2")
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 6] = 171
    path.write_bytes(content)
    with pytest.raises(LoadError):
        loaders.load(path, Settings())


def test_an_unknown_packing_is_refused(tmp_path: Path) -> None:
    archive = Archive.ordinary()
    archive.methods[PROGRAM] = zipfile.ZIP_BZIP2
    with pytest.raises(LoadError, match=r"refused: models/model\.json: it is packed in a way"):
        loaders.load(archive.write(tmp_path / "model.pt2"), Settings())


def test_an_archive_packed_by_zip_still_loads(tmp_path: Path) -> None:
    archive = Archive.ordinary()
    archive.methods = {name: zipfile.ZIP_DEFLATED for name, _ in archive.entries}
    assert loaders.load(archive.write(tmp_path / "model.pt2"), Settings()).info.format == "pt2"


def test_a_small_entry_that_unpacks_to_a_large_one_is_refused(tmp_path: Path) -> None:
    archive = Archive.ordinary()
    archive.put("data/weights/weight_0", bytes(2**24))
    archive.methods["data/weights/weight_0"] = zipfile.ZIP_DEFLATED
    with pytest.raises(LoadError, match=r"refused: data/weights/weight_0: it would unpack to 16777216 bytes"):
        loaders.load(archive.write(tmp_path / "model.pt2"), Settings())


def test_deep_nesting_is_a_sentence(tmp_path: Path) -> None:
    archive = Archive.ordinary()
    archive.put(PROGRAM, b"[" * 200_000 + b"]" * 200_000)
    with pytest.raises(LoadError, match=r"refused: models/model\.json: it is nested too deeply"):
        loaders.load(archive.write(tmp_path / "model.pt2"), Settings())


def test_graphs_in_graphs_without_end_are_a_sentence(tmp_path: Path) -> None:
    def nest(program: Any) -> None:
        graph = program["graph_module"]["graph"]
        empty = {"inputs": [], "outputs": [], "tensor_values": {}, "sym_int_values": {}, "sym_bool_values": {}}
        inner: dict[str, Any] = {**empty, "nodes": []}
        for _ in range(60):
            arg = {"as_graph": {"name": "g", "graph": inner}}
            node = {"target": "torch.ops.higher_order.wrap", "inputs": [{"name": "", "arg": arg}], "outputs": []}
            inner = {**empty, "nodes": [{**node, "metadata": {}}]}
        graph["nodes"] = inner["nodes"]

    archive = Archive.ordinary()
    archive.edit(PROGRAM, nest)
    with pytest.raises(LoadError, match=r"(refused: .*nested too deeply|cannot load)"):
        loaders.load(archive.write(tmp_path / "model.pt2"), Settings())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("archive_version", b"9", "archive_version"),
        ("byteorder", b"big", "byteorder"),
        (SAMPLES, b"not a pickle", "sample_inputs"),
    ],
)
def test_parts_of_another_kind_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    archive = Archive.ordinary()
    archive.put(name, content)
    with pytest.raises(LoadError, match=f"refused: .*{message}"):
        loaders.load(archive.write(tmp_path / "model.pt2"), Settings())


@pytest.mark.parametrize("name", ["data/aotinductor/model/a.so", "data/executorch/x", "models/other.json", "a.py"])
def test_other_entries_are_refused(tmp_path: Path, name: str) -> None:
    archive = Archive.ordinary()
    archive.entries.append((name, b"x"))
    with pytest.raises(LoadError, match=f"refused: {name}"):
        loaders.load(archive.write(tmp_path / "model.pt2"), Settings())


def test_weights_that_are_not_there_are_no_zeros(tmp_path: Path) -> None:
    """An empty entry with a large size makes torch fill memory."""
    archive = Archive.ordinary()

    def enlarge(config: Any) -> None:
        meta = config["config"]["table.weight"]["tensor_meta"]
        meta["sizes"], meta["strides"] = [{"as_int": 2**40}], [{"as_int": 1}]

    archive.put("data/weights/weight_0", b"")
    archive.edit(WEIGHTS, enlarge)
    with pytest.raises(LoadError, match="reach behind its bytes"):
        loaders.load(archive.write(tmp_path / "model.pt2"), Settings())


@pytest.mark.parametrize("change", [{"storage_offset": {"as_int": 10}}, {"strides": [{"as_int": 99}, {"as_int": 1}]}])
def test_weights_lie_within_their_bytes(tmp_path: Path, change: dict[str, Any]) -> None:
    archive = Archive.ordinary()
    archive.edit(WEIGHTS, lambda c: c["config"]["table.weight"]["tensor_meta"].update(change))
    with pytest.raises(LoadError, match="reach behind its bytes"):
        loaders.load(archive.write(tmp_path / "model.pt2"), Settings())


@pytest.mark.parametrize("path", ["../weight_0", "/etc/passwd", "opaque_obj_0", "custom_obj_0", "weight_0\n"])
def test_weights_lie_in_their_folder(tmp_path: Path, path: str) -> None:
    archive = Archive.ordinary()
    archive.edit(CONSTANTS, lambda c: next(iter(c["config"].values())).update(path_name=path))
    with pytest.raises(LoadError, match=r"refused: .*is no tensor"):
        loaders.load(archive.write(tmp_path / "model.pt2"), Settings())


# ---------------------------------------------------------------------- programs

OPERATORS = (
    "torch.ops.aten.from_file.default",
    "torch.ops.aten.save.default",
    "torch.ops.aten.set_.source_Storage",
    "torch.ops.aten.set_data.default",
    "torch.ops.aten.resize_.default",
    "torch.ops.aten.add.out",
    "torch.ops.aten.manual_seed.default",
    "torch.ops.aten.warn.default",
    "torch.ops.aten._print.default",
    "torch.ops.aten.fbgemm_linear_int8_weight.default",
    "torch.ops.aten._sparse_coo_tensor_unsafe.default",
    "torch.ops.aten.__class__.mro",
    "torch.ops.aten.add.__class__",
    "torch.ops.aten.add._op",
    "torch.ops.load_library",
    "torch.ops.profiler._record_function_enter.default",
    "torch.ops.higher_order.print",
    "torch.ops.higher_order.triton_kernel_wrapper_mutation",
    "torch.ops.higher_order.call_torchbind",
    "torch.ops.higher_order.cond.__call__",
    "torch.hub.load",
    "torch.load",
    "torch.sym_max.__globals__",
    "_operator.methodcaller",
    "_operator.attrgetter",
    "_operator.call",
    "math.nextafter",
    "#extension:anything",
    "builtins.exec",
    "",
)


@pytest.mark.parametrize("operator", OPERATORS)
def test_operators_that_are_not_known_are_refused(operator: str) -> None:
    from maskcheck.loaders.pytorch.pt2.operators import operator as checked
    from maskcheck.loaders.pytorch.pt2.refusal import Refused

    with pytest.raises(Refused, match="is not among the operators"):
        checked(operator)


EXPRESSIONS = (
    "__import__('os')",
    "s0.__class__",
    "Symbol('__import__(0)', integer=True)",
    "Symbol('s0', integer=True, cls=1)",
    "Symbol('s0' 'x')",
    "Function('f')(1)",
    "Integer('3')",
    "Integer(10)**Integer(999999999)",
    "Pow(Integer(2), Mul(Integer(9999), Integer(9999)))",
    "Pow(Pow(Integer(2), Integer(64)), Integer(64))",
    "LShift(Integer(1), Integer(999999999))",
    "Float('__import__(0)', precision=53)",
    "Float('1.0', precision=99999999)",
    "factorial(Integer(9999))",
    "sympify('1')",
    "lambda: 1",
    "[1][0]",
    "s0 if s0 else 1",
    "(s0 := 1)",
    "f'{s0}'",
    "E",
    "1" * 9999,
    "(" * 5000 + "1" + ")" * 5000,
    "s0 +",
    "",
)


@pytest.mark.parametrize("text", EXPRESSIONS, ids=lambda text: text[:40])
def test_sizes_that_are_more_than_sizes_are_refused(text: str) -> None:
    from maskcheck.loaders.pytorch.pt2.expressions import expression
    from maskcheck.loaders.pytorch.pt2.refusal import Refused

    with pytest.raises(Refused):
        expression(text)


GUARDS = (
    "__import__('os').getcwd()",
    "L['x'].size().__class__",
    "L['x'].tolist()[0]",
    "L['unknown'].size()[0] > 1",
    "L['x'].size(*[1])[0] > 1",
    "max(*L)",
    "max([1], key=print)",
    "torch.load('x')",
    "math.factorial(99999)",
    "2 ** 99999999",
    "[i for i in L]",
    "L['x'].size()[L['x'].size()[0]]",
    "'a' * 99999999",
)


@pytest.mark.parametrize("text", GUARDS)
def test_guards_that_are_more_than_conditions_are_refused(text: str) -> None:
    from maskcheck.loaders.pytorch.pt2.guards import guards
    from maskcheck.loaders.pytorch.pt2.refusal import Refused

    with pytest.raises(Refused):
        guards(called_with_x(text))


def called_with_x(*texts: str) -> dict[str, Any]:
    leaf: dict[str, Any] = {"type": None, "context": None, "children_spec": []}
    args = {"type": "builtins.tuple", "context": "null", "children_spec": [leaf]}
    kwargs = {"type": "builtins.dict", "context": "[]", "children_spec": []}
    both = {"type": "builtins.tuple", "context": "null", "children_spec": [args, kwargs]}
    signature = {"in_spec": json.dumps([1, both]), "forward_arg_names": ["x"]}
    return {"graph_module": {"module_call_graph": [{"signature": signature}]}, "guards_code": list(texts)}


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("L['x'].size()[1] <= 7", True),
        ("L['x'].size()[1] % 2 == 0", False),
        ("2 <= L['flat_args'][0].size()[0] < 4 and not L['x'].size()[1] == 6", True),
        ("max(L['x'].size()[0], 4) // 2 * 3 - 1 == 5", True),
        ("L['x'].stride()[0] != 7 or L['x'].size()[0] > 3", False),
    ],
)
def test_guards_are_judged(text: str, met: bool) -> None:
    from maskcheck.loaders.pytorch.pt2.guards import guards

    (guard,) = guards(called_with_x(text))
    if met:
        guard.check([torch.ones(3, 7)])
    else:
        with pytest.raises(AssertionError, match="Guard failed"):
            guard.check([torch.ones(3, 7)])


# ---------------------------------------------------------------------- ordinary programs


class Recurrent(nn.Module):
    def __init__(self, kind: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.rnn = kind(8, 6, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Any:
        return self.rnn(x)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(8, 24)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.inner(x).chunk(3, -1)
        return nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, :].bool())


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 8)
        self.head = nn.Linear(8, 20, bias=False)
        self.head.weight = self.table.weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.table(ids))


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({"a-b": nn.Linear(8, 8), "c/d": nn.LayerNorm(8)})

    def forward(self, batch: dict[str, Any], *more: Tensor, scale: float = 2.0) -> dict[str, Any]:
        x = batch["x"]["y"][0] * scale
        for part in self.parts.values():
            x = part(x)
        return {"z": (x + more[0], [x.sum(1)]), "nothing": None}


class Buffers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(8)
        self.register_buffer("seen", torch.zeros(1))
        self.register_buffer("places", torch.arange(4.0), persistent=False)
        self.every_second = torch.arange(8.0)[::2]

    def forward(self, x: Tensor) -> Tensor:
        self.seen.add_(1)
        return self.norm(x.transpose(1, 2)) + self.places.sum() + self.every_second.sum()


class Numbers(nn.Module):
    """Sizes in arithmetic, powers and new tensors; infinities as constants."""

    def forward(self, x: Tensor) -> Any:
        b, t, d = x.shape
        scaled = x * t**0.5 + x.size(1) ** -0.5
        return scaled, x.reshape(b * t, d).view(b, t * d // 2, 2), torch.arange(t) / t, x.masked_fill(x < 0, -torch.inf)


class Modes(nn.Module):
    """Parts of the graph under another mode, which torch keeps as graphs of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Any:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.head(x)
        with torch.no_grad():
            z = y * 2
        return y, z


class Limited(nn.Module):
    """Takes another way through its code for short inputs; the exporter keeps one of them, and the condition."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1) if x.shape[1] > 5 else x.sum(1)


X = torch.linspace(-1, 1, 168).reshape(3, 7, 8)
MASK = torch.arange(7)[None].lt(torch.tensor([[7], [5], [3]])).long()
ENCODER = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1)
PROGRAMS: dict[str, tuple[nn.Module, tuple[Any, ...], Any]] = {
    "lstm": (Recurrent(nn.LSTM), (X,), None),
    "gru": (Recurrent(nn.GRU), (X,), None),
    "attention": (Attention(), (X, MASK), (FREE, FREE)),
    "half": (Attention().half(), (X.half(), MASK), (FREE, FREE)),
    "bfloat16": (Attention().bfloat16(), (X.bfloat16(), MASK), (FREE, FREE)),
    "encoder": (ENCODER, (X,), (FREE,)),
    "tied": (Tied(), (MASK,), (FREE,)),
    "nested": (Nested(), ({"x": {"y": [X]}}, X), None),
    "buffers": (Buffers(), (X,), (FREE,)),
    "numbers": (Numbers(), (X,), (FREE,)),
    "modes": (Modes(), (X,), (FREE,)),
    "derived": (Limited(), (X,), ({1: 2 * torch.export.Dim("half", min=3, max=9) + 1},)),
    "limited": (Limited(), (X,), (FREE,)),
}


def saved(name: str, path: Path) -> Path:
    torch.manual_seed(0)
    module, example, shapes = PROGRAMS[name]
    torch.export.save(torch.export.export(module.eval(), example, dynamic_shapes=shapes), path)
    return path


@pytest.mark.parametrize("name", PROGRAMS)
def test_ordinary_programs_give_the_bits_that_torch_gives(name: str, tmp_path: Path) -> None:
    path = saved(name, tmp_path / "model.pt2")
    ours, theirs = loaders.load(path, Settings()), loaders.load(path, Settings(trust=True))
    assert [(s.name, s.dtype, s.shape) for s in ours.inputs] == [(s.name, s.dtype, s.shape) for s in theirs.inputs]
    feeds = {name: given.float().numpy() if given.is_floating_point() else given.numpy() for name, given in fed(ours)}
    assert bits(ours.run(feeds)) == bits(theirs.run(feeds))
    mine, wanted = ours.trace(feeds), theirs.trace(feeds)
    assert mine.sites == wanted.sites
    assert bits(mine.tensors) == bits(wanted.tensors)


def fed(model: Any) -> list[tuple[str, Tensor]]:
    return list(model.examples.items())


def bits(arrays: Any) -> dict[str, tuple[str, bytes]]:
    return {name: (value.dtype.name, value.tobytes()) for name, value in arrays.items()}


@pytest.mark.parametrize("length", [1, 4, 5, 6, 9])
def test_inputs_that_the_exporter_ruled_out_are_still_refused(length: int, tmp_path: Path) -> None:
    """Without its guard the program would answer with a mean where the module sums."""
    path = saved("limited", tmp_path / "model.pt2")
    feeds = {"x": np.ones((2, length, 8), np.float32)}
    for settings in (Settings(), Settings(trust=True)):
        model = loaders.load(path, settings)
        if length > 5:
            model.run(feeds)
        else:
            with pytest.raises(RunError, match=r"Guard failed|> 5|>= 6"):
                model.run(feeds)


def test_shared_weights_stay_shared(tmp_path: Path) -> None:
    model = loaders.load(saved("tied", tmp_path / "model.pt2"), Settings())
    places = {p.data_ptr() for p in model.target.parameters()}
    assert len(places) == 1


def test_a_program_from_before_2_8_loads(tmp_path: Path) -> None:
    from torch._export.serde.serialize import serialize

    artifact = serialize(hostile_pt2.exported())
    parts = {
        "version": b"8.8",
        "serialized_exported_program.json": artifact.exported_program,
        "serialized_state_dict.pt": artifact.state_dict,
        "serialized_constants.pt": artifact.constants,
        "serialized_example_inputs.pt": artifact.example_inputs,
    }
    path = Archive(list(parts.items()), root="").write(tmp_path / "model.pt2")
    ours, theirs = loaders.load(path, Settings()), loaders.load(path, Settings(trust=True))
    feeds = {name: given.numpy() for name, given in fed(ours)}
    assert bits(ours.run(feeds)) == bits(theirs.run(feeds))


def test_outputs_of_a_class_come_by_the_names_of_their_parts(tmp_path: Path) -> None:
    """Classes named in a file are not looked up; whether they are known in this process makes no difference."""
    archive = Archive.ordinary()
    hostile_pt2.edit_spec(archive, "out_spec", lambda spec: spec.update(type="strangers.Output"))
    model = loaders.load(archive.write(tmp_path / "model.pt2"), Settings())
    assert [spec.name for spec in model.outputs] == ["logits"]


def test_torch_never_gets_the_guards(tmp_path: Path) -> None:
    path = saved("limited", tmp_path / "model.pt2")
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        assert json.loads(archive.read("model/models/model.json"))["guards_code"]
    from maskcheck.loaders.pytorch.pt2.program import checked

    found = checked(path)
    assert found.program._guards_code == []
    assert [guard.text for guard in found.guards] == ["L['x'].size()[1] > 5"]
