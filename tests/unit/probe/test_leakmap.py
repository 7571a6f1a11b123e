"""Stretches of the leak map: which sites they join, how they are called, and what their positions say."""

from __future__ import annotations

from maskcheck.core.report import LayerState, Reach
from maskcheck.explain.leakmap import STRETCHES, SiteState, layers
from maskcheck.ir.operation import Kind
from tests.sites import site as a_site


def state(name: str, module: str | None, state: Reach = Reach.CLEAN, positions: tuple[float, ...] = ()) -> SiteState:
    return SiteState(a_site(name, "Op", Kind.OTHER, (), (name,), module=module), state, positions)


def test_what_happens_between_modules_is_not_laid_to_the_module_before_it() -> None:
    found = layers(
        [
            state("gather", "embed"),
            state("gru", "encoder"),
            state("mean", None, Reach.ORIGIN, (0.5,)),
            state("mul", None, Reach.DIRTY, (0.0, 0.25, 1.0)),
            state("gemm", "head", Reach.DIRTY, (2.0,)),
        ]
    )
    assert [(x.name, x.state) for x in found] == [
        ("embed", Reach.CLEAN),
        ("encoder", Reach.CLEAN),
        ("mean", Reach.ORIGIN),
        ("head", Reach.DIRTY),
    ]
    assert found[2].positions == (0.5, 0.5, 1.0), "one value for the whole sequence counts at each position"


def test_without_modules_the_sites_name_the_stretches() -> None:
    many = [state(f"op{i}", None) for i in range(3 * STRETCHES)]
    found = layers(many)
    assert len(found) == STRETCHES and found[1].name == "op3"
    assert layers([]) == ()


def test_deep_models_are_cut_at_the_level_that_fits() -> None:
    parts = ("attention.query", "attention.out", "mlp.up", "mlp.down")
    shallow = [state(f"n{i}{p}", f"layers.{i}.{p}") for i in range(6) for p in parts]
    deep = [state(f"n{i}{p}", f"layers.{i}.{p}") for i in range(48) for p in parts]
    assert layers(shallow)[0].name == "layers.0.attention.query"
    assert layers(deep)[0] == LayerState("layers.0.attention", Reach.CLEAN) and len(layers(deep)) == 96


def test_sequences_of_another_length_do_not_blur_the_positions() -> None:
    run = [state("a", "m", Reach.DIRTY, (0.0, 1.0, 0.0)), state("b", "m", Reach.DIRTY, (9.0, 9.0)), state("c", "m")]
    assert layers([*run, state("d", "m", Reach.DIRTY, (0.0, 0.0, 2.0))])[0].positions == (0.0, 1.0, 2.0)
