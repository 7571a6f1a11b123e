"""The leak map: layers by positions, on the terminal and on the page."""

from __future__ import annotations

import dataclasses
import math

from maskcheck.core.report import LayerState, Reach
from maskcheck.report import console, html
from maskcheck.report.drawings import fitted, overlaid, strip
from maskcheck.report.layer_tree import branches
from maskcheck.report.layers_view import MOST_LINES, layer_lines
from maskcheck.report.rendering import Rendering
from tests.unit.report import sample

PLAIN = Rendering(width=100)
EDGE = (0.0,) * 8 + (1e-3, 2.0)
MODEL = (
    LayerState("embed", Reach.CLEAN, (0.0,) * 10),
    LayerState("blocks.0.attention", Reach.CLEAN, (0.0,) * 10),
    LayerState("blocks.0.conv", Reach.ORIGIN, EDGE),
    LayerState("blocks.1.attention", Reach.DIRTY, (0.2,) * 10),
    LayerState("head", Reach.DIRTY, (0.5,)),
)


def drawn(layers: tuple[LayerState, ...], verbose: bool = False) -> list[str]:
    model = dataclasses.replace(sample.REPORT.models[0], layers=layers)
    report = dataclasses.replace(sample.REPORT, models=(model,))
    lines = console.render(report, Rendering(width=100, verbosity=int(verbose))).splitlines()
    start = next(i for i, line in enumerate(lines) if "first" in line)
    return [line.strip() for line in lines[start:] if line.strip()][: len(layers) + 2]


def test_one_sees_where_padding_enters_and_how_it_spreads() -> None:
    assert drawn(MODEL)[1:6] == [
        "embed               .  ..........",
        "blocks.0            !  ........=#",
        "blocks.1.attention  #  ##########",
        "head                #  ##########",
        ". clean   ! padding gets in here   # padding inside",
    ]


def test_modules_unfold_where_more_is_asked_for() -> None:
    names = [line.split()[0] for line in drawn(MODEL, verbose=True)[1:]]
    assert names[:5] == ["embed", "blocks.0", "blocks.0.attention", "blocks.0.conv", "blocks.1.attention"]


def test_a_deep_model_with_an_origin_in_each_layer_stays_short() -> None:
    layers = tuple(LayerState(f"blocks.{i}.conv", Reach.ORIGIN, EDGE) for i in range(48))
    lines = layer_lines(layers, 90)
    assert len(lines) <= MOST_LINES + 4
    assert any("and 34 more" in str(line) for line in lines)


def test_without_measured_positions_the_strip_of_names_is_left() -> None:
    assert len(layer_lines(tuple(dataclasses.replace(x, positions=()) for x in MODEL), 90)) == 2
    assert len(layer_lines((LayerState("a", Reach.CLEAN, (0.0,)), LayerState("b", Reach.CLEAN, (0.0,))), 90)) == 2


def test_the_last_position_of_a_long_sequence_is_not_cut_off() -> None:
    long = strip((0.0,) * 999 + (1.0,))
    assert len(long) == 64 and long[-1] == 6 and set(long[:-1]) == {0}
    assert fitted((), 5) == () and fitted((1, 2, 3), 5) == (1, 2, 3) and fitted((1, 5, 3, 0), 2) == (5, 3)
    assert overlaid([(0, 0, 4), (), (1,)]) == (1, 1, 4)
    assert strip((math.inf, math.nan)) == (6, 6)


def test_only_the_first_modules_that_padding_enters_are_open_on_the_page() -> None:
    layers = tuple(LayerState(f"blocks.{i}.{part}", Reach.ORIGIN, EDGE) for i in range(6) for part in ("conv", "pool"))
    assert [branch.open for branch in branches(layers)] == [True, True, False, False, False, False]
    model = dataclasses.replace(sample.REPORT.models[0], layers=layers)
    page = html.render(dataclasses.replace(sample.REPORT, models=(model,)), PLAIN)
    assert page.count('<details class="branch" open>') == 2 and page.count('class="strip"') == 18
