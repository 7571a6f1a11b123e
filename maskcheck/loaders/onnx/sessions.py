"""The sessions of one model: the deployed one and a few instrumented ones, within a bound on memory."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maskcheck.core.errors import RunError, TraceError
from maskcheck.core.settings import Settings
from maskcheck.loaders.onnx.runtime import deployed_options, open_session, provider_list, reason, traced_options
from maskcheck.loaders.onnx.skeleton import Skeleton, instrument

if TYPE_CHECKING:
    import onnxruntime

BIG = 64 * 2**20
"""Models with more bytes of weights than this keep only one session alive."""

_KEPT, _KEPT_BIG = 8, 1
_CPU = ["CPUExecutionProvider"]

Key = tuple[tuple[tuple[str, str], ...], frozenset[str]]


@dataclass(slots=True, kw_only=True)
class Sessions:
    """Makes sessions when they are asked for and frees those least recently used.

    ``source`` is what the deployed session is made of: the path of the untouched file, or the bytes of a relaxed
    skeleton.
    """

    source: str | bytes
    skeleton: Skeleton
    settings: Settings
    big: bool
    closed: bool = False
    _deployed: onnxruntime.InferenceSession | None = None
    _traced: OrderedDict[Key, onnxruntime.InferenceSession] = field(default_factory=OrderedDict)

    def deployed_session(self) -> onnxruntime.InferenceSession:
        """The session that gives the verdict. Exceptions are onnxruntime's own."""
        self._check_open()
        if self._deployed is None:
            if self.big:
                self._drop_traced()
            providers = provider_list(self.settings)
            options = deployed_options(self.settings)
            if isinstance(self.source, bytes):
                folder = str(self.skeleton.files.folder)
                options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
            self._deployed = open_session(self.source, options, providers)
        return self._deployed

    def traced_session(self, marks: Collection[str], patches: Mapping[str, str]) -> onnxruntime.InferenceSession:
        """An instrumented session in which at least ``marks`` are outputs. Raises ``TraceError``."""
        self._check_open()
        replaced, wanted = tuple(sorted(patches.items())), frozenset(marks)
        for key in self._traced:
            if key[0] == replaced and key[1] >= wanted:
                self._traced.move_to_end(key)
                return self._traced[key]
        self._make_room()
        content = instrument(self.skeleton.model, wanted, patches)
        try:
            session = open_session(content, traced_options(self.skeleton.files.folder), _CPU)
        except Exception as error:
            raise TraceError(f"onnxruntime refuses the instrumented copy: {reason(error)}") from error
        self._traced[replaced, wanted] = session
        return session

    @property
    def alive(self) -> tuple[bool, int]:
        """Whether the deployed session exists, and how many instrumented ones do."""
        return self._deployed is not None, len(self._traced)

    def release(self) -> None:
        """Free every session of a big model; each is made again when it is asked for."""
        if self.big:
            self._deployed = None
            self._drop_traced()

    def close(self) -> None:
        """Free every session. Asking for one afterwards is an error."""
        self._deployed = None
        self._drop_traced()
        self.closed = True

    def _make_room(self) -> None:
        if self.big and self._deployed is not None:
            self._deployed = None
            _give_back()
        while len(self._traced) >= (_KEPT_BIG if self.big else _KEPT):
            self._traced.popitem(last=False)

    def _drop_traced(self) -> None:
        self._traced.clear()
        _give_back()

    def _check_open(self) -> None:
        if self.closed:
            raise RunError("The model was closed.")


def _give_back() -> None:
    """Return freed memory to the system: glibc otherwise keeps blocks the size of a weight matrix for itself."""
    gc.collect()
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
