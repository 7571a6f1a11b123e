"""Contracts read, written, merged, and refused with a reason."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskcheck import contract_file
from maskcheck.core.contract import (
    BATCH,
    Conflict,
    Contract,
    Dimension,
    Domain,
    InputContract,
    OutputContract,
    OutputKind,
    Role,
    Side,
)
from maskcheck.core.errors import UsageError
from maskcheck.core.settings import Overrides

CONTRACT = Contract(
    domains=(
        Domain("seq", (Dimension("seq", minimum=9, maximum=512),), Side.LEFT),
        Domain("image", (Dimension("height", fixed=32), Dimension("width", minimum=2))),
    ),
    inputs=(
        InputContract(
            "input_ids", Role.TOKENS, "int64", (BATCH, "seq"), (0, 0), "seq", "a table", pad_value=0, vocabulary=9
        ),
        InputContract(
            "mask", Role.MASK, "bool", (BATCH, "seq"), (0, 0), "seq", "its name", valid_when=0, ids_carry_mask=True
        ),
        InputContract(
            "pixels",
            Role.FEATURES,
            "float32",
            (BATCH, None, "height", "width"),
            (0, 3, 0, 0),
            "image",
            "4 axes",
            pad_value=-1e-5,
        ),
        InputContract(
            'serving.default:0 "x"\n# é\x7f', Role.OTHER, "bool", (), (), None, "line\nbreak \x1b[31m", fill=True
        ),
    ),
    outputs=(
        OutputContract("logits", OutputKind.POOLED, (BATCH, None), "seq", "nothing grows"),
        OutputContract("last hidden", OutputKind.SEQUENCE, (BATCH, "seq", None), "seq", "axis 1 grows"),
    ),
    fixed_batch=4,
    choices=("The pad value 0\nis a convention.",),
    conflicts=(Conflict("mask", "inert-mask", "the mask is inert"),),
)


def apply(overrides: Overrides, contract: Contract) -> Contract:
    """Put overrides over a contract, as inference does."""
    return dataclasses.replace(
        contract,
        domains=tuple(
            dataclasses.replace(
                d,
                dimensions=tuple(dataclasses.replace(x, **overrides.dimensions.get(x.name, {})) for x in d.dimensions),
                **overrides.domains.get(d.name, {}),
            )
            for d in contract.domains
        ),
        inputs=tuple(dataclasses.replace(i, **overrides.inputs.get(i.name, {})) for i in contract.inputs),
        outputs=tuple(dataclasses.replace(o, **overrides.outputs.get(o.name, {})) for o in contract.outputs),
        fixed_batch=overrides.fixed_batch or contract.fixed_batch,
    )


def blank(contract: Contract) -> Contract:
    """The same names with nothing known about them."""
    return dataclasses.replace(
        contract,
        domains=tuple(Domain(d.name, tuple(Dimension(x.name) for x in d.dimensions)) for d in contract.domains),
        inputs=tuple(
            dataclasses.replace(
                i, role=Role.OTHER, dims=(), shape=i.shape and (0,) * len(i.shape), domain=None,
                pad_value=None, valid_when=None, vocabulary=None, fill=None,
            )
            for i in contract.inputs
        ),
        outputs=tuple(dataclasses.replace(o, kind=OutputKind.CACHE, dims=()) for o in contract.outputs),
        fixed_batch=None,
    )  # fmt: skip


def test_what_is_written_reads_back_as_the_same_contract(tmp_path: Path) -> None:
    path = tmp_path / "contract.toml"
    contract_file.write(CONTRACT, path)
    assert apply(contract_file.read(path), blank(CONTRACT)) == CONTRACT


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
NUMBERS = st.one_of(st.integers(-(2**40), 2**40), st.floats(allow_nan=False))


@settings(max_examples=80, deadline=None)
@given(NAMES, NAMES, NUMBERS, st.sampled_from(Role), st.text(max_size=60))
def test_any_name_and_number_survives(name: str, axis: str, value: float, role: Role, reason: str) -> None:
    dims = (BATCH, axis if axis != "-" else "x", None)
    spec = InputContract(name, role, "float32", dims, (0, 0, 3), axis, reason, pad_value=value)
    written = contract_file.to_toml(Contract((Domain(axis, (Dimension(axis),)),), (spec,), ()))
    read = contract_file.parse(tomllib.loads(written), "it").inputs[name]
    assert read == {"role": role, "domain": axis, "dims": dims, "shape": (0, 0, 3), "pad_value": value}
    assert type(read["pad_value"]) is type(value)


def test_numpy_scalars_and_odd_floats_can_be_written() -> None:
    for value, expected in ((np.int64(3), 3), (np.float32(0.5), 0.5), (-math.inf, -math.inf)):
        spec = InputContract("x", Role.FEATURES, "float32", (BATCH,), (0,), None, "", pad_value=value)
        written = contract_file.to_toml(Contract((), (spec,), ()))
        assert contract_file.parse(tomllib.loads(written), "it").inputs["x"]["pad_value"] == expected


def test_reasons_are_comments() -> None:
    text = contract_file.to_toml(CONTRACT)
    assert "# a table\n" in text
    assert "# Chosen, not known: The pad value 0 is a convention.\n" in text
    assert "# The model contradicts a name: the mask is inert\n" in text
    assert "\x1b" not in text


def test_a_file_may_hold_little(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('side = "left"\n[inputs.x]\npad_value = 1\ndims = ["batch", "", "-"]\n')
    assert contract_file.read(path) == Overrides(
        inputs={"x": {"pad_value": 1, "dims": (BATCH, None, None)}}, side="left"
    )


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[input.x]\nrole = 'mask'", "unknown key 'input'", "Did you mean 'inputs'?"),
        ("[inputs.x]\npad_vaule = 0", "unknown key 'pad_vaule' in [inputs.x]", "Did you mean 'pad_value'?"),
        ("[inputs.x]\nzzz = 0", "unknown key 'zzz' in [inputs.x]", "Known here: dims, domain, fill,"),
        ("[inputs.x]\nrole = 'maks'", "inputs.x.role must be one of tokens", "Did you mean 'mask'?"),
        ("[inputs.x]\nrole = 3", "inputs.x.role must be one of", ""),
        ("[inputs.x]\npad_value = 'a'", "inputs.x.pad_value must be a number, not 'a'", ""),
        ("[inputs.x]\npad_value = true", "inputs.x.pad_value must be a number", ""),
        ("[inputs.x]\nvalid_when = 2", "inputs.x.valid_when must be 0 or 1", ""),
        ("[inputs.x]\ndims = 'batch'", "inputs.x.dims must be a list", ""),
        ("[inputs.x]\nshape = [0.5]", "inputs.x.shape must be a list", ""),
        ("[inputs.x]\nvocabulary = 0", "inputs.x.vocabulary must be a whole number of at least 1", ""),
        ("[inputs.x]\ndomain = ''", "inputs.x.domain must be a name", ""),
        ("inputs = 3", "inputs must hold tables", "Write [inputs.NAME]"),
        ("[inputs]\nx = 3", "inputs must hold tables", "Write [inputs.NAME]"),
        ("[outputs.y]\nkind = 'pool'", "outputs.y.kind must be one of", "Did you mean 'pooled'?"),
        ("[domains.s]\nside = 'up'", "domains.s.side must be one of right, left", ""),
        ("[dimensions.s]\nminimum = 0", "dimensions.s.minimum must be a whole number of at least 1", ""),
        ("fixed_batch = 'two'", "fixed_batch must be a whole number", ""),
        ("inputs = [", "Reading the contract", "A contract is a TOML file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str, hint: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        contract_file.read(path)
    assert message in caught.value.message
    assert caught.value.hint.startswith(hint)
    assert str(path) in caught.value.message


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    for path in (tmp_path / "absent.toml", tmp_path, tmp_path / "binary"):
        with pytest.raises(UsageError, match="Reading the contract"):
            contract_file.read(path)


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Writing the contract"):
        contract_file.write(CONTRACT, tmp_path / "absent" / "c.toml")


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("ids=tokens", ("ids", {"role": Role.TOKENS})),
        (
            "feats=features,dims=batch:time:-,shape=0:0:80,pad_value=-1.5",
            ("feats", {"role": Role.FEATURES, "dims": (BATCH, "time", None), "shape": (0, 0, 80), "pad_value": -1.5}),
        ),
        ("mask=mask, valid_when=0", ("mask", {"role": Role.MASK, "valid_when": 0})),
        ("mask=valid_when=false", ("mask", {"valid_when": 0})),
        ("x.1:0=other,fill=true", ("x.1:0", {"role": Role.OTHER, "fill": True})),
        ("x=pad_value=1e-4,domain=7", ("x", {"pad_value": 1e-4, "domain": "7"})),
    ],
)
def test_flags(flag: str, expected: tuple[str, dict[str, Any]]) -> None:
    assert contract_file.parse_flag(flag) == expected


@pytest.mark.parametrize(
    "flag", ["", "x", "=tokens", "x=", "x=token", "x=tokens,pad=0", "x=tokens,mask", "x=shape=a:b"]
)
def test_wrong_flags(flag: str) -> None:
    with pytest.raises(UsageError, match="Reading --input"):
        contract_file.parse_flag(flag)


def test_merging_keeps_what_the_upper_does_not_say() -> None:
    low = Overrides(
        inputs={"x": {"role": Role.TOKENS, "pad_value": 0}, "y": {"role": Role.MASK}}, fixed_batch=2, side="left"
    )
    high = Overrides(inputs={"x": {"pad_value": 1}, "z": {"role": Role.OTHER}}, side="right", pad_value=5)
    assert contract_file.merge(low, high) == Overrides(
        inputs={"x": {"role": Role.TOKENS, "pad_value": 1}, "y": {"role": Role.MASK}, "z": {"role": Role.OTHER}},
        fixed_batch=2,
        side="right",
        pad_value=5,
    )
    assert contract_file.merge(low, Overrides()) == low
