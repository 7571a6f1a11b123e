"""Which line is the user's, out of what exporters write and of what runs."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

import maskcheck
from maskcheck.ir.source import (
    SourceLine,
    innermost_user_line,
    is_user_code,
    note_frames,
    running_user_line,
    script_frames,
    stack_frames,
    with_text,
)

PACKAGES = "/home/me/.venv/lib/python3.11/site-packages"
WINDOWS = r"C:\Users\me\venv\Lib\site-packages"

USERS = [
    "/home/me/encoder.py",
    "/home/me/torch_models/encoder.py",
    "/home/me/torch/encoder.py",
    "/home/me/lib/layers.py",
    "/home/me/maskcheck/encoder.py",
    "encoder.py",
    f"{PACKAGES}/mylibrary/encoder.py",
    f"{PACKAGES}/transformers/models/bert/modeling_bert.py",
    f"{PACKAGES}/timm/layers/pool.py",
    f"{PACKAGES}/torch_geometric/nn/conv.py",
    f"{PACKAGES}/keras_hub/src/models/bert.py",
    r"C:\Users\me\encoder.py",
    r"C:\Users\me\Lib\encoder.py",
    rf"{WINDOWS}\transformers\models\bert\modeling_bert.py",
    "<ipython-input-3-0a1b2c>",
    "/tmp/ipykernel_77/1234.py",
]
OTHERS = [
    f"{PACKAGES}/torch/nn/functional.py",
    "/usr/lib/python3/dist-packages/torch/nn/functional.py",
    "/home/me/src/torch/nn/modules/rnn.py",
    "/home/me/src/torch/_dynamo/eval_frame.py",
    f"{PACKAGES}/keras/src/layers/layer.py",
    f"{PACKAGES}/einops/einops.py",
    f"{PACKAGES}/einops/layers/torch.py",
    f"{PACKAGES}/opt_einsum/contract.py",
    f"{PACKAGES}/transformers/masking_utils.py",
    f"{PACKAGES}/transformers/integrations/sdpa_attention.py",
    f"{PACKAGES}/transformers/utils/generic.py",
    "/usr/lib/python3.11/contextlib.py",
    "/opt/conda/lib/python3.12/functools.py",
    "/usr/lib64/python3.9/contextlib.py",
    r"C:\Python311\Lib\contextlib.py",
    r"C:\tools\Python\3.11.9\x64\Lib\contextlib.py",
    r"C:\Users\me\anaconda3\Lib\functools.py",
    r"C:\Users\me\anaconda3\envs\work\Lib\functools.py",
    rf"{WINDOWS}\torch\nn\functional.py",
    rf"{WINDOWS}\einops\einops.py",
    "<frozen importlib._bootstrap>",
    "<string>",
    "<eval_with_key>.3",
    functools.__file__,
    maskcheck.__file__,
]


@pytest.mark.parametrize("file", USERS)
def test_the_users_code_and_that_of_libraries_of_models(file: str) -> None:
    assert is_user_code(file)


@pytest.mark.parametrize("file", OTHERS)
def test_other_code(file: str) -> None:
    assert not is_user_code(file)


STACK = f"""File "/home/me/encoder.py", line 14, in forward
    x = self.layer(x)
  File "/home/me/layer.py", line 8, in attend
    return rearrange(x, "b t c -> b c t")
  File "{PACKAGES}/einops/einops.py", line 189, in rearrange
    return reduce(tensor)
  File "{PACKAGES}/torch/functional.py", line 7, in permute
"""


class TestStacks:
    def test_the_innermost_frame_that_is_no_helpers(self) -> None:
        found = innermost_user_line(stack_frames(STACK))
        assert found == SourceLine("/home/me/layer.py", 8, "attend", 'return rearrange(x, "b t c -> b c t")')

    def test_a_frame_without_its_text(self) -> None:
        frames = stack_frames('  File "/a.py", line 1, in f\n  File "/b.py", line 2, in g')
        assert frames == (SourceLine("/b.py", 2, "g"), SourceLine("/a.py", 1, "f"))

    def test_paths_of_windows(self) -> None:
        text = f'File "C:\\Users\\me\\a b.py", line 3, in f\n    y = x\n  File "{WINDOWS}\\torch\\f.py", line 1, in g\n'
        assert innermost_user_line(stack_frames(text)) == SourceLine("C:\\Users\\me\\a b.py", 3, "f", "y = x")

    @pytest.mark.parametrize("text", ["", "nonsense", f'File "{PACKAGES}/torch/nn/functional.py", line 1, in f'])
    def test_nothing_to_find(self, text: str) -> None:
        assert innermost_user_line(stack_frames(text)) is None


class TestNotes:
    """What TorchScript's exporter writes beside an operator."""

    def test_the_innermost_frame_comes_first(self) -> None:
        text = (
            f"{PACKAGES}/torch/nn/functional.py(9): layer_norm\n/home/me/a.py(3): forward\n/home/me/b.py(5): forward\n"
        )
        assert innermost_user_line(note_frames(text)) == SourceLine("/home/me/a.py", 3, "forward")

    @pytest.mark.parametrize("exporter", ["/x/torch/onnx/utils.py(5): export", r"C:\x\torch\jit\_trace.py(5): trace"])
    def test_what_called_the_exporter_is_not_the_source(self, exporter: str) -> None:
        text = f"/x/torch/nn/modules/rnn.py(9): forward\n{exporter}\n/home/me/export.py(4): f\n"
        assert innermost_user_line(note_frames(text)) is None

    def test_paths_of_windows(self) -> None:
        text = "C:\\Program Files (x86)\\me\\a.py(3): forward\n"
        assert innermost_user_line(note_frames(text)) == SourceLine("C:\\Program Files (x86)\\me\\a.py", 3, "forward")


class TestScripts:
    def test_a_traced_call(self) -> None:
        text = "/x/torch/nn/functional.py(9): f\n/home/me/a.py(3): forward\n/home/me/run.py(1): <module>\n"
        assert innermost_user_line(script_frames(text)) == SourceLine("/home/me/a.py", 3, "forward")

    def test_a_compiled_line(self) -> None:
        text = '  File "/home/me/a.py", line 12\n    def forward(self, x):\n        return x\n    ~~~~~ <--- HERE\n'
        assert innermost_user_line(script_frames(text)) == SourceLine("/home/me/a.py", 12)

    def test_code_that_was_saved_was_written_by_nobody(self) -> None:
        text = 'Serialized   File "code/__torch__/a.py", line 4\n    return 1\n'
        assert innermost_user_line(script_frames(text)) is None


def test_the_text_of_a_line_on_this_machine(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("first\n    second  \n")
    assert with_text(SourceLine(str(file), 2)).text == "second"
    assert with_text(SourceLine(str(file), 9)).text is None
    assert with_text(SourceLine("/elsewhere.py", 2, None, "told")).text == "told"


class TestWhatRuns:
    @staticmethod
    def called_by(file: str, module: str) -> SourceLine | None:
        """The line found by code of ``module`` in ``file``, which is called from here."""
        given: dict[str, Any] = {"__name__": module, "ask": running_user_line}
        exec(compile("found = ask()", file, "exec"), given)
        return given["found"]

    def test_the_line_and_its_text(self) -> None:
        found = running_user_line()
        assert found is not None
        assert (found.file, found.function) == (__file__, "test_the_line_and_its_text")
        assert found.text == "found = running_user_line()"

    @pytest.mark.parametrize(
        ("file", "module"),
        [
            (f"{PACKAGES}/einops/einops.py", "einops.einops"),
            ("/home/me/src/pytorch/tensor.py", "torch.tensor"),  # installed in place
            ("<string>", "anything"),
            (functools.__file__, "functools"),
        ],
    )
    def test_behind_other_code(self, file: str, module: str) -> None:
        found = self.called_by(file, module)
        assert found is not None and (found.file, found.function) == (__file__, "called_by")

    def test_in_a_library_of_models(self) -> None:
        found = self.called_by(f"{PACKAGES}/timm/layers/pool.py", "timm.layers.pool")
        assert found == SourceLine(f"{PACKAGES}/timm/layers/pool.py", 1, "<module>")

    def test_not_beyond_a_boundary(self) -> None:
        assert running_user_line(stop=lambda frame: frame.f_code.co_name == "test_not_beyond_a_boundary") is None
