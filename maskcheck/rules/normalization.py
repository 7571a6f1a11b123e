"""Normalisation whose statistics reach beyond one position."""

from __future__ import annotations

from collections.abc import Mapping

from maskcheck.core.evidence import Evidence
from maskcheck.core.report import TwinKind
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.settings import axes_of
from maskcheck.rules import predicates
from maskcheck.rules.pooling import divides_sequence
from maskcheck.rules.rule import Match

REDUCTIONS = (Kind.REDUCE_MEAN, Kind.REDUCE_SUM, Kind.REDUCE_OTHER)


def batch_norm_in_training_mode(evidence: Evidence) -> Match | str:
    if _over_rows_and_time(evidence):
        return Match(
            f"{evidence.site.operator} takes the mean or variance of a batch normalisation over this batch: the "
            "model is in training mode, or keeps no running statistics."
        )
    if not _is_norm(evidence, _BATCH_NORM):
        return f"{evidence.site.operator} is not a batch normalisation"
    return Match(
        f"{evidence.site.operator} takes its statistics from this batch: the model is in training mode, or keeps "
        "no running ones."
    )


def group_norm_over_time(evidence: Evidence) -> Match | str:
    if not _is_norm(evidence, _GROUP_NORM):
        return f"{evidence.site.operator} is not a group or instance normalisation"
    return Match(
        f"{evidence.site.operator} takes mean and variance over the padded time axis.", predicates.lost_mask(evidence)
    )


def layer_norm_over_time(evidence: Evidence) -> Match | str:
    if evidence.site.kind is Kind.NORMALIZATION or _is_norm(evidence, _LAYER_NORM):
        return Match(f"{evidence.site.operator} includes the padded time axis in its statistics.")
    if evidence.site.kind not in REDUCTIONS or not subtracts(evidence):
        return f"{evidence.site.operator} is not a normalisation"
    facts = predicates.sequence_input(evidence)
    axes = axes_of(evidence.site.settings, len(facts.shape)) if facts else None
    if facts is None or axes is None or not set(axes) & set(facts.sequence_axes):
        return "its mean does not run over the sequence"
    if not set(axes) - set(facts.sequence_axes):
        return "its mean runs over the sequence alone, not over features as well"
    return Match(
        f"{evidence.site.operator} averages over time and features together, for a normalisation meant for features."
    )


def instance_standardisation(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a mean or deviation", *REDUCTIONS)
    if reason:
        return reason
    if predicates.keeps_sequence(evidence) or not predicates.works_along_sequence(evidence):
        return "it does not run over the whole sequence"
    if TwinKind.MATES in predicates.leaking(evidence) and predicates.works_along_batch(evidence):
        return "it runs over the batch"
    if not subtracts(evidence) and not divides_sequence(evidence):
        return "its result is not subtracted from, or divided into, the sequence it came from"
    return Match(
        f"{evidence.site.operator} includes the pads in the mean or deviation by which the whole series is "
        "standardised.",
        predicates.lost_mask(evidence),
    )


def _over_rows_and_time(evidence: Evidence) -> bool:
    if evidence.site.kind not in REDUCTIONS or TwinKind.MATES not in predicates.leaking(evidence):
        return False
    shared = [s for s in evidence.upstream if predicates.reads(evidence.site, s)]
    if predicates.any_kind(shared, Kind.SOFTMAX):
        return False  # shares of experts or clusters, which nobody normalises again
    back = subtracts(evidence) or divides_sequence(evidence)
    return back and predicates.works_along_sequence(evidence) and predicates.works_along_batch(evidence)


def subtracts(evidence: Evidence) -> bool:
    """Whether the origin's result is subtracted from, or divides, a sequence, right behind it."""
    return any(_standardises(evidence, site) for site in predicates.right_behind(evidence))


def _standardises(evidence: Evidence, site: Site) -> bool:
    if not predicates.does(site, Operation.SUBTRACT) and not _divides_by_deviation(evidence, site):
        return False
    known = [
        f
        for k in (*site.inputs, *site.outputs)
        if k not in evidence.site.outputs and (f := evidence.facts(k)) is not None
    ]
    # Without facts the operation's name decides: a mean is subtracted from little else than what it was taken of.
    return not known or (any(f.sequence_axes for f in known) and not _of_something_else(evidence, site))


def _divides_by_deviation(evidence: Evidence, site: Site) -> bool:
    deviates = predicates.does(evidence.site, Operation.VARIANCE, Operation.STANDARD_DEVIATION)
    return deviates and predicates.does(site, *predicates.DIVISIONS)


def _of_something_else(evidence: Evidence, site: Site) -> bool:
    """Whether a total is subtracted from, or is less, a sequence it was not taken of: what is still to come, say."""
    sums = evidence.site.kind is Kind.REDUCE_SUM
    if not sums or not predicates.does(site, Operation.SUBTRACT) or not predicates.reads(site, evidence.site):
        return False
    ancestors = {k for s in evidence.upstream for k in (*s.inputs, *s.outputs)} | set(evidence.site.inputs)
    return not ancestors & (set(site.inputs) - set(evidence.site.outputs))


Norms = Mapping[str, Operation]
"""Operations that normalise, by the names of the modules that spell them out."""

_BATCH_NORM: Norms = {"batchnorm": Operation.BATCH_NORM, "batchnormalization": Operation.BATCH_NORM}
_GROUP_NORM: Norms = {
    "groupnorm": Operation.GROUP_NORM,
    "groupnormalization": Operation.GROUP_NORM,
    "instancenorm": Operation.INSTANCE_NORM,
    "instancenormalization": Operation.INSTANCE_NORM,
}
_LAYER_NORM: Norms = {
    "layernorm": Operation.LAYER_NORM,
    "layernormalization": Operation.LAYER_NORM,
    "rmsnorm": Operation.RMS_NORM,
    "rmsnormalization": Operation.RMS_NORM,
    "unitnorm": Operation.LP_NORM,
    "unitnormalization": Operation.LP_NORM,
}


def _is_norm(evidence: Evidence, norms: Norms) -> bool:
    """Whether the origin is one of ``norms``, or a statistic inside a module that is called like one."""
    site = evidence.site
    statistic = site.kind in (*REDUCTIONS, Kind.NORMALIZATION, Kind.ELEMENTWISE)
    return predicates.does(site, *norms.values()) or (statistic and predicates.owned_by(site, *norms))
