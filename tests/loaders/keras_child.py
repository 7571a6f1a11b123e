"""Runs Keras in a process of its own, for TensorFlow and torch must not meet in one.

``python -m tests.loaders.keras_child FUNCTION FOLDER`` prints what a function of this module returns, as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
HERE = "tests.loaders.keras_child"
LAYERS = "tests.loaders.keras_layers"

available = util.find_spec("keras") is not None and util.find_spec("tensorflow") is not None


def ask(function: str, folder: Path) -> Any:
    """Run one of this module's functions in a child process and return its result."""
    return told_by(HERE, function, str(folder))


def told_by(module: str, *arguments: str) -> Any:
    """Run a module in a child process and return the JSON of its last line."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def table(folder: Path) -> Any:
    from tests.loaders import keras_table as t

    plain = {"keeps": t.KEEPS, "consumes": t.CONSUMES}
    paired = {"claims": t.CLAIMS, "warned": t.WARNED, "false alarm": t.FALSE_ALARM, "silent": t.SILENT}
    groups = plain | {group: {name: build for name, (build, _) in cases.items()} for group, cases in paired.items()}
    return {group: {name: _audited(build, folder) for name, build in cases.items()} for group, cases in groups.items()}


def guide(folder: Path) -> Any:
    from tests.loaders import keras_guide as g

    builders = {**g.CLEAN, **{name: case[0] for name, case in g.LEAKY.items()}}
    return {name: _audited(build, folder) for name, build in builders.items()}


def formats(folder: Path) -> Any:
    """One leaky and one clean model as .keras, .h5, SavedModel and live."""
    import keras

    from maskcheck.core.settings import Settings
    from maskcheck.loaders.keras.model import KerasModel
    from tests.loaders import keras_guide, keras_table

    found: dict[str, Any] = {}
    for name, build in (("clean", keras_guide.functional), ("leaky", keras_table.SILENT["residual"][0])):
        keras.utils.set_random_seed(3)
        model = build(keras)
        paths = {kind: folder / f"{name}{kind}" for kind in (".keras", ".h5")}
        for path in paths.values():
            model.save(path)
        saved = folder / name
        model.export(saved, verbose=False)
        trust = Settings(samples=4, trust=True)
        found[name] = {kind: _verdict(path, Settings(samples=4)) for kind, path in paths.items()}
        found[name]["saved model"] = _verdict(saved, trust)
        found[name]["untrusted"] = _verdict(saved, Settings())["reason"]
        live = KerasModel(model)
        found[name]["live"] = [step.fate.value for step in live.info.journey]
    return found


def saved(folder: Path) -> Any:
    """SavedModels of Keras and of TensorFlow: verdicts, and what one trace of them holds."""
    import keras
    import numpy as np

    from maskcheck.core.settings import Settings
    from maskcheck.loaders.keras.savedmodel import load
    from tests.loaders import keras_guide, keras_saved, keras_table

    builders = {
        "clean": keras_guide.functional,
        "shared": keras_guide.shared,
        "masking": keras_guide.masking_of_one_length,
        "flatten": keras_guide.forum_flatten,
        "unmasked": keras_guide.masking_lost,
        "attention": keras_table.SILENT["residual"][0],
        "doubled": keras_saved.doubled,
        "recurrent": keras_saved.recurrent,
        "table": keras_saved.table,
        "table of one length": keras_saved.table_of_one_length,
        "text": keras_saved.text,
    }
    for name, build in builders.items():
        keras.utils.set_random_seed(3)
        build(keras).export(folder / name, verbose=False)
    for name in ("masked", "careless"):
        keras_saved.save_module(folder / name, name)
    found = {
        name: _verdict(folder / name, Settings(samples=2, trust=True)) for name in (*builders, "masked", "careless")
    }
    model = load(folder / "attention", Settings(trust=True))
    ids = {"ids": np.array([[3, 4, 7, 0]], dtype=np.int32)}
    trace = model.trace(ids)
    lookup = next(u.site for u in model.uses if u.kind.value == "index")
    embedded = trace.tensors[lookup]
    patched = model.trace(ids, patches={lookup: embedded + 1.0}, record=[lookup])
    (name,) = trace.outputs
    zeros = np.zeros_like(trace.outputs[name])
    softmax = next(s for s in trace.sites if s.kind.value == "softmax")
    found["tracing"] = {
        "agrees": bool(np.allclose(trace.outputs[name], model.run(ids)[name], atol=1e-6)),
        "own value kept": bool(np.array_equal(patched.tensors[lookup], embedded)),
        "readers see the patch": bool(not np.allclose(patched.outputs[name], trace.outputs[name])),
        "recorded": sorted({lookup, name} ^ set(patched.tensors)) == [],
        "outputs are patched": bool(np.array_equal(model.trace(ids, {name: zeros}).outputs[name], zeros)),
        "patches of nothing": _message(lambda: model.trace(ids, {"nothing": zeros})),
        "uses": [[u.kind.value, u.operator, u.value] for u in model.uses],
        "weights on pads": float(trace.tensors[softmax.outputs[0]][:, :, :3, 3:].max()),
        "softmax axis": softmax.settings.axis,
        "untrusted": _message(lambda: load(folder / "attention", Settings())),
    }
    model.close()
    return found


def old(folder: Path) -> Any:
    """An .h5 file with what Keras 2 wrote into recurrent layers, inside a wrapper as well."""
    import h5py
    import keras

    from maskcheck.core.settings import Settings

    layers = keras.layers
    stack = [layers.Embedding(50, 8, mask_zero=True), layers.Bidirectional(layers.LSTM(4, return_sequences=True))]
    path = folder / "old.h5"
    keras.Sequential([keras.Input((None,), name="ids"), *stack, layers.LSTM(6), layers.Dense(3)]).save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            inner = layer["config"].get("layer", layer)["config"]
            inner |= {"time_major": False} if "recurrent_activation" in inner else {}
        file.attrs["model_config"] = json.dumps(config)
    before = path.read_bytes()
    return {**_verdict(path, Settings(samples=2)), "untouched": path.read_bytes() == before}


def tracing(folder: Path) -> Any:
    """What one trace holds: keys, patches, masks, attention weights; and that nothing stays patched."""
    import keras
    import numpy as np

    from maskcheck.loaders.keras.model import KerasModel
    from tests.loaders import keras_guide, keras_table

    keras.utils.set_random_seed(3)
    call, operation = keras.layers.Layer.__call__, keras.Operation.__call__
    model = KerasModel(keras_table.SILENT["residual"][0](keras))
    ids = {"ids": np.array([[3, 4, 7, 0]], dtype=np.int32)}
    trace = model.trace(ids)
    embedded = trace.tensors["emb#0"]
    patched = model.trace(ids, patches={"emb#0": embedded + 1.0, "head": np.zeros((1, 3), np.float32)})
    refused = _message(lambda: model.run({"ids": np.array([[3, 1000]], dtype=np.int32)}))
    shared = KerasModel(keras_guide.shared(keras))
    twice = {"question": ids["ids"], "answer": ids["ids"][:, :3]}
    return {
        "sites": [[s.name, s.kind.value, list(s.inputs), list(s.outputs)] for s in trace.sites],
        "uses": [[u.kind.value, u.site, u.value] for u in model.uses],
        "mask": trace.tensors["emb/mask#0"].tolist(),
        "agrees": bool(np.array_equal(trace.outputs["head"], model.run(ids)["head"])),
        "own value kept": bool(np.array_equal(patched.tensors["emb#0"], embedded)),
        "readers see the patch": bool(not np.array_equal(patched.tensors["gap#0"], trace.tensors["gap#0"])),
        "mask kept": patched.tensors["multi_head_attention#0"].shape == trace.tensors["multi_head_attention#0"].shape,
        "patched output": patched.outputs["head"].tolist(),
        "recorded": sorted(model.trace(ids, record=["gap#0"]).tensors),
        "weights on pads": float(np.abs(trace.attention["multi_head_attention"][:, :, :3, 3:]).max()),
        "refused": refused,
        "shared": [s.name for s in shared.trace(twice).sites if s.operator == "Embedding"],
        "outputs": sorted(shared.run(twice)),
        "put back": keras.layers.Layer.__call__ is call and keras.Operation.__call__ is operation,
    }


def safety(folder: Path) -> Any:
    """What is refused before it is loaded, and what opens it."""
    import keras

    from maskcheck.core.settings import Settings
    from tests.loaders import keras_guide

    ids = keras.Input((None, 4), name="steps")
    inner = keras.Model(ids, keras.layers.Lambda(lambda t: t * 2, name="twice")(ids))
    outer = keras.Model(ids, inner(ids))
    found: dict[str, Any] = {}
    for kind in (".keras", ".h5"):
        outer.save(folder / f"lambda{kind}")
        found[f"lambda{kind}"] = _message(lambda kind=kind: _load(folder / f"lambda{kind}", Settings()))
        found[f"trusted{kind}"] = _message(lambda kind=kind: _load(folder / f"lambda{kind}", Settings(trust=True)))
    keras_guide.activation_opted_in(keras).save(folder / "own.keras")
    file = ROOT / "tests" / "loaders" / "keras_layers.py"
    found["own"] = _message(lambda: _load(folder / "own.keras", Settings()))
    found["by module"] = _message(lambda: _load(folder / "own.keras", Settings(custom_objects=(LAYERS,))))
    found["by file"] = _message(lambda: _load(folder / "own.keras", Settings(custom_objects=(str(file),))))
    found["no such file"] = _message(lambda: _load(folder / "own.keras", Settings(custom_objects=("nothing.py",))))
    model = keras_guide.functional(keras)
    model.save_weights(folder / "only.weights.h5")
    (folder / "model.bin").write_bytes((folder / "lambda.keras").read_bytes())
    found["another suffix"] = _message(lambda: _load(folder / "model.bin", Settings(trust=True)))
    found["weights"] = _message(lambda: _load(folder / "only.weights.h5", Settings()))
    module = "tests.loaders.keras_factories"
    (folder / "renamed.bin").write_bytes((folder / "only.weights.h5").read_bytes())
    for name in ("only.weights.h5", "renamed.bin"):
        found[f"factory, {name}"] = _message(
            lambda name=name: _load(folder / name, Settings(factory=f"{module}:functional"))
        )
    for function in ("masking", "nothing", "missing"):
        found[f"factory {function}"] = _message(
            lambda function=function: _load(folder / "only.weights.h5", Settings(factory=f"{module}:{function}"))
        )
    found["same answers"] = _same_answers(model, folder / "only.weights.h5", f"{module}:functional")
    (folder / "cut.h5").write_bytes((folder / "only.weights.h5").read_bytes()[:600])
    found["damaged"] = _message(lambda: _load(folder / "cut.h5", Settings()))
    return found


def _load(path: Path, settings: Any) -> None:
    from maskcheck import loaders

    loaders.load(path, settings).close()


def _same_answers(model: Any, path: Path, factory: str) -> bool:
    import numpy as np

    from maskcheck import loaders
    from maskcheck.core.settings import Settings

    ids = np.arange(1, 9, dtype=np.int32).reshape(2, 4)
    loaded = loaders.load(path, Settings(factory=factory))
    (answer,) = loaded.run({"ids": ids}).values()
    return bool(np.array_equal(answer, np.asarray(model(ids))))


def _message(attempt: Callable[[], Any]) -> str | None:
    from maskcheck.core.errors import MaskcheckError

    try:
        attempt()
    except MaskcheckError as error:
        return f"{type(error).__name__}: {error}"
    return None


def _audited(build: Callable[[Any], Any], folder: Path) -> dict[str, Any]:
    import keras

    from maskcheck.core.settings import Settings
    from maskcheck.loaders.keras.model import load

    keras.backend.clear_session()
    keras.utils.set_random_seed(3)
    path = folder / "model.keras"
    build(keras).save(path)
    settings = Settings(samples=4, custom_objects=(LAYERS,))
    model = load(path, settings)
    steps = {s.site: [s.fate.value, s.warned] for s in model.info.journey}
    return {**_verdict(path, settings), "journey": steps}


def _verdict(path: Path, settings: Any) -> dict[str, Any]:
    from maskcheck import auditing

    report = auditing.audit_model(str(path), settings)
    findings = [
        {
            "rule": f.rule,
            "site": f.site.name if f.site else None,
            "line": f.site.source.line if f.site and f.site.source else None,
            "cause": f.root_cause.site.name if f.root_cause and f.root_cause.site else "",
            "reason": f.root_cause.reason if f.root_cause else "",
            "share": f.share,
        }
        for f in report.findings
        if f.severity.value == "error"
    ]
    return {"outcome": report.outcome.value, "reason": report.reason, "findings": findings}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    result = globals()[sys.argv[1]](Path(sys.argv[2]))
    sys.stdout.write(json.dumps(result) + "\n")
