"""maskcheck from Python: audit or inspect a file or a model in memory, and show what was found."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskcheck.core import report as core
from maskcheck.core.contract import Contract
from maskcheck.core.errors import UsageError
from maskcheck.core.model import ModelInfo
from maskcheck.core.report import Finding, ModelReport, Outcome
from maskcheck.report.rendering import ENDINGS, Rendering

if TYPE_CHECKING:
    from maskcheck.auditing import Progress
    from maskcheck.core.settings import Settings

WIDTH = 100
"""Columns of text that is not written for a terminal of known width."""

_ENDINGS = {**ENDINGS, ".txt": "console"}


class PaddingLeak(AssertionError):
    """A model was to be free of padding leaks and is not, or too little could be tried to say so.

    ``report`` is what the audit found; the message is that report as text.
    """

    def __init__(self, report: Report) -> None:
        super().__init__("\n" + report.text())
        self.report = report


@dataclass(frozen=True, slots=True, repr=False)
class Report(core.Report):
    """What one call of ``audit`` found. ``models`` holds one ``ModelReport`` for each model, in the order given.

    In a notebook it shows itself as the HTML page; ``str(report)`` is the text of the terminal.
    """

    @property
    def model(self) -> ModelReport:
        """The report of the only model, or of the first."""
        return self.models[0]

    @property
    def outcome(self) -> Outcome:
        """The worst outcome over the models: leaky, error, skipped, clean."""
        worst = (Outcome.LEAKY, Outcome.ERROR, Outcome.SKIPPED, Outcome.CLEAN)
        return min((m.outcome for m in self.models), key=worst.index)

    @property
    def clean(self) -> bool:
        """Whether every model was audited and none leaks, accepted leaks apart."""
        return all(m.outcome is Outcome.CLEAN or m.excused for m in self.models)

    def ignoring(self, reasons: Mapping[str, str]) -> Report:
        """Return a report in which findings are accepted by the code or name of their rule (``"MC1*"`` is a pattern).

        ``reasons`` says for each why it may pass; the reasons show in the report.
        """
        from maskcheck.acceptance import Ignore, Policy, apply

        policy = Policy(tuple(Ignore(rule, reason) for rule, reason in reasons.items()), source="Python")
        return dataclasses.replace(self, models=tuple(apply(model, policy) for model in self.models))

    def assert_clean(self, ignore: Mapping[str, str] | None = None) -> None:
        """Raise ``PaddingLeak`` when a model leaks, or when too little could be tried to say that it does not.

        ``ignore`` maps codes or names of rules to the reason why their findings are let pass.
        """
        __tracebackhide__ = True
        judged = self.ignoring(ignore) if ignore else self
        if not judged.clean:
            raise PaddingLeak(judged)

    def text(self, width: int = WIDTH, colour: bool = False, verbose: bool = False) -> str:
        """Return the report as the terminal shows it, ``width`` columns wide."""
        return render(self, "console", width=width, colour=colour, verbose=verbose)

    def html(self) -> str:
        """Return the report as one self-contained page."""
        return render(self, "html")

    def save(self, path: str | PathLike[str], format: str | None = None) -> Path:
        """Write the report to ``path``. Its ending says the format (.html, .json, .sarif, .xml, .md ...).

        Raises:
            UsageError: the ending says nothing and no ``format`` was given.
        """
        target = Path(path)
        chosen = format or _ENDINGS.get(target.suffix.lower())
        if chosen is None:
            raise UsageError(
                f"Writing the report to {target}: its ending says no format.",
                hint=f"End the name in {', '.join(_ENDINGS)}, or name a format.",
            )
        target.write_text(render(self, chosen), encoding="utf-8", errors="replace")
        return target

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<maskcheck.Report: {'; '.join(_in_short(model) for model in self.models)}>"

    def _repr_html_(self) -> str:
        """Show the page inside a notebook, in a frame that can neither run scripts nor reach the notebook."""
        height = 480 if self.outcome is Outcome.CLEAN else 720
        style = f"width:100%;height:{height}px;border:1px solid #8884;resize:vertical"
        page = escape(self.html(), quote=True)
        return f'<iframe sandbox title="maskcheck report" style="{style}" srcdoc="{page}"></iframe>'


@dataclass(frozen=True, slots=True, repr=False)
class Inspection:
    """How a model's inputs are read: the contract with every reason, and for Keras the journey of the mask."""

    contract: Contract
    info: ModelInfo

    def text(self, width: int = WIDTH, colour: bool = False) -> str:
        """Return what ``maskcheck inspect`` prints."""
        from maskcheck.report import contract_view, journey_view

        rendering = Rendering(width=width, colour=colour)
        text = contract_view.render(self.contract, self.info, rendering)
        return text + "\n" + journey_view.render(self.info.journey, rendering) if self.info.journey else text

    def write(self, path: str | PathLike[str]) -> None:
        """Write the contract as TOML, to be mended by hand and given back as ``contract=``."""
        from maskcheck import contract_file

        contract_file.write(self.contract, Path(path))

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<maskcheck.Inspection: {self.info.path}, inputs {', '.join(i.name for i in self.contract.inputs)}>"


def audit(
    model: Any,
    inputs: Any = None,
    *,
    name: str | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Report:
    """Audit a model: a path, several paths, a ``torch.nn.Module``, a ``keras.Model`` or any function of tensors.

    A live module runs under ``eval()`` and ``no_grad`` on copies of its inputs; the modes of its modules are put back.

    Args:
        model: what to audit.
        inputs: for a live module or function, example inputs: a dict of keyword arguments, a tuple of arguments, or
            one tensor; batches of at least two rows tell most, and without them inputs are guessed from the
            signature. For a path, recorded inputs: a file, or arrays by name, each (batch, ...).
        name: what the report calls a live model; its class by default.
        progress: called with a step and the fraction done, from 0 to 1.
        settings: ``require=["side"]``, ``contract="contract.toml"``, ``side="left"``, ``pad_value=1``, ``seed=0``,
            ``samples=8``, ``trust``, ``factory``, ``custom_objects`` and the other fields of
            ``maskcheck.core.settings.Settings``; they mean what the flags of the command mean.

    Returns:
        A report. A file that cannot be audited is a model of outcome ``error`` or ``skipped`` in it, with the reason.

    Raises:
        LoadError: a live model does not run with these inputs, or its framework is missing.
        UsageError: a setting does not fit the model.
        TypeError: there is no such setting.
    """
    from maskcheck import auditing

    paths = _paths(model)
    if paths is None:
        return _report(auditing.audit_open(_wrapped(model, inputs, name), settings_of(settings), progress))
    with _recorded(inputs) as recorded:
        return _report(auditing.audit(paths, settings_of(settings, recorded), progress))


def inspect(model: Any, inputs: Any = None, *, name: str | None = None, **settings: Any) -> Inspection:
    """Return how the inputs of a model are read, without auditing it. Arguments and errors are those of ``audit``.

    Raises:
        LoadError: the file cannot be read.
    """
    from maskcheck import auditing

    chosen = settings_of(settings)
    if isinstance(model, (str, PathLike)):
        return Inspection(*auditing.inspect(fspath(model), chosen))
    return Inspection(*auditing.inspect_open(_wrapped(model, inputs, name), chosen))


def render(
    report: core.Report, format: str = "console", *, width: int = WIDTH, colour: bool = False, verbose: bool = False
) -> str:
    """Return a report as text in any format of ``maskcheck audit --format``.

    ``width``, ``colour`` and ``verbose`` matter to the format ``console`` only.

    Raises:
        UsageError: there is no such format.
    """
    from maskcheck.report.registry import REPORTERS
    from maskcheck.rules import by_code

    if format not in REPORTERS:
        raise UsageError(f"There is no format {format!r}.", hint=f"Formats are {', '.join(REPORTERS)}.")
    rendering = Rendering(width=width, colour=colour, verbosity=int(verbose), texts=by_code())
    return REPORTERS[format](report, rendering)


def settings_of(given: Mapping[str, Any], inputs: str | None = None) -> Settings:
    """Return settings from keyword arguments; ``require`` adds to the twins that gate by default.

    Raises:
        TypeError: there is no such setting; the message names the nearest.
        UsageError: the contract file is wrong.
    """
    from maskcheck import contract_file
    from maskcheck.contract_file.schema import nearest
    from maskcheck.core.settings import DEFAULT_REQUIRE, Overrides, Settings

    known = [f.name for f in dataclasses.fields(Settings)] + ["contract", "side", "pad_value"]
    for key in given:
        if key not in known:
            raise TypeError(f"There is no setting {key!r}. {nearest(key, known)}")
    chosen = dict(given)
    contract = chosen.pop("contract", None)
    base = chosen.pop("overrides", Overrides())
    if contract is not None:
        base = contract_file.merge(contract_file.read(contract), base)
    above = Overrides(**{key: chosen.pop(key) for key in ("side", "pad_value") if key in chosen})
    required = chosen.pop("require", ())
    named = (required,) if isinstance(required, str) else tuple(required)
    custom = chosen.pop("custom_objects", ())
    return Settings(
        **{
            "inputs": inputs,
            "overrides": contract_file.merge(base, above),
            "require": tuple(dict.fromkeys((*DEFAULT_REQUIRE, *named))),
            "custom_objects": (custom,) if isinstance(custom, str) else tuple(custom),
            **chosen,
        }
    )


def _paths(model: Any) -> list[str] | None:
    if isinstance(model, (str, PathLike)):
        return [fspath(model)]
    if isinstance(model, Sequence) and model and all(isinstance(m, (str, PathLike)) for m in model):
        return [fspath(m) for m in model]
    return None


def _wrapped(model: Any, inputs: Any, name: str | None) -> Any:
    from maskcheck.loaders.live import wrap

    return wrap(model, inputs, name)


def _report(found: core.Report) -> Report:
    return Report(**{f.name: getattr(found, f.name) for f in dataclasses.fields(core.Report)})


def _in_short(model: ModelReport) -> str:
    causes = ", ".join(dict.fromkeys(f.rule for f in model.findings if f.severity is core.Severity.ERROR))
    return f"{model.path} {model.outcome.value}" + (f" ({causes})" if causes else "")


@contextmanager
def _recorded(inputs: Any) -> Iterator[str | None]:
    """The path of recorded inputs for the time of one audit; arrays are written to a file first."""
    if inputs is None or isinstance(inputs, (str, PathLike)):
        yield None if inputs is None else fspath(inputs)
        return
    import tempfile

    import numpy as np

    with tempfile.TemporaryDirectory(prefix="maskcheck-") as folder:
        path = Path(folder) / "inputs.npz"
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in inputs.items()}
        np.savez(path, **arrays)
        yield str(path)


__all__ = ["Finding", "Inspection", "ModelReport", "PaddingLeak", "Report", "audit", "inspect", "render", "settings_of"]
