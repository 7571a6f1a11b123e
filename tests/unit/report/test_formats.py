"""Every format for machines and for the web: its golden, the rules of whoever reads it, and hostile names."""

from __future__ import annotations

import dataclasses
import json
import re
import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskcheck.core.report import Outcome, Report, Severity
from maskcheck.report import github, html, jsonl, junit, markdown, sarif
from maskcheck.report.registry import REPORTERS
from maskcheck.report.rendering import Rendering, as_given
from maskcheck.report.reproduction import command

from . import sample
from .test_console import named

Golden = Callable[[str, str], None]
PLAIN = Rendering()
MANY = dataclasses.replace(sample.LEAKY, findings=sample.FINDINGS * 12)
HOSTILE_TEXTS = [
    sample.HOSTILE,
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>'",
    "</style></pre></code><b>",
    "::error::pwned",
    "\n::set-output name=a::b",
    "a%0A::error::x",
    "##[error]x",
    "```\n# heading",
    "| a | b |",
    "@someone #1 www.example.com https://example.com",
    "{{ 7 * 7 }}{% raw %}",
    "]]>&amp;<!--",
    "\ud800",
    "\ufffe\x00",
]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("jsonl", "report.jsonl"),
        ("html", "report.html"),
        ("sarif", "report.sarif"),
        ("junit", "report.junit.xml"),
        ("github", "report.github"),
        ("markdown", "report.md"),
    ],
)
def test_golden(golden: Golden, name: str, file: str) -> None:
    golden(file, REPORTERS[name](sample.REPORT, PLAIN))


@pytest.mark.parametrize("name", sorted(REPORTERS))
def test_no_format_stumbles_over_nothing(name: str) -> None:
    assert REPORTERS[name](Report((), "0.1.0"), PLAIN).endswith("\n")


class Page(HTMLParser):
    """What a browser would see: tags, attributes, text, and whether everything closes."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def check_page(text: str) -> Page:
    found = Page(text)
    assert found.open == []
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(found.tags)
    for tag, name, value in found.attributes:
        assert not name.startswith("on") and name not in ("src", "style", "srcset", "action"), (tag, name)
        assert name != "href" or value.startswith("#"), value
    identifiers = [value for _, name, value in found.attributes if name == "id"]
    assert len(identifiers) == len(set(identifiers))
    links = {value[1:] for _, name, value in found.attributes if name == "href"}
    assert links <= set(identifiers)
    return found


def test_the_page_stands_alone() -> None:
    text = html.render(sample.REPORT, PLAIN)
    found = check_page(text)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    policy = next(v for t, n, v in found.attributes if t == "meta" and n == "content" and "default-src" in v)
    assert policy == html.policy(style.group(1)), "the policy would keep the browser from the page's own style"
    assert "url(" not in style.group(1) and "@import" not in style.group(1)
    assert len(text) < 2_000_000


def test_the_page_says_what_matters() -> None:
    text = Page(html.render(sample.REPORT, PLAIN)).text
    for expected in (
        "padding changes 3 of 16 answers",
        "reviews.py:48",
        "Divide by the number of real tokens",
        "maskcheck audit exports/reviews.onnx",
        "maskcheck explain MC101",
        "Trained with right padding only.",
        "number of pads",
        "No input of this model could be padded.",
    ):
        assert expected in text


def test_the_page_of_a_huge_model_stays_small() -> None:
    layer = sample.LEAKY.layers[0]
    layers = tuple(dataclasses.replace(layer, name=f"m.{i}", state=("clean", "dirty")[i % 2]) for i in range(5000))
    maps = sample.LEAKY.attention * 200
    huge = dataclasses.replace(sample.LEAKY, findings=sample.FINDINGS * 500, layers=layers, attention=maps)
    assert len(html.render(Report((huge,), "0.1.0"), PLAIN)) < 2_000_000


def check_sarif(log: dict[str, Any]) -> None:
    """The parts of the SARIF 2.1.0 schema that apply, and what GitHub asks beyond it."""
    assert log["version"] == "2.1.0" and log["$schema"].startswith("https://")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] and re.fullmatch(r"\d+\.\d+\.\d+\S*", driver["semanticVersion"])
    for rule in driver["rules"]:
        assert rule["id"]
        for text in (rule["shortDescription"]["text"], rule["fullDescription"]["text"], rule["help"]["text"]):
            assert 0 < len(text) <= 1024
        assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note")
        assert rule["properties"]["problem.severity"] in ("error", "warning", "recommendation")
        assert "security-severity" not in rule["properties"] and len(rule["properties"]["tags"]) <= 20
    assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"])
    hashes = [result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]]
    assert all(hashes) and len(hashes) == len(set(hashes))
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"] and result["level"] in ("error", "warning", "note")
        assert "suppressions" not in result and "baselineState" not in result
    notes = run["invocations"][0]["toolExecutionNotifications"]
    for located in (*run["results"], *notes):
        assert located["message"]["text"]
        (location,) = located["locations"]
        physical = location["physicalLocation"]
        uri = physical["artifactLocation"]["uri"]
        assert uri and not uri.startswith("/") and ".." not in uri.split("/") and re.fullmatch(r"[!-~]+", uri)
        assert "\\" not in uri and ":" not in uri
        assert set(physical["region"]) == {"startLine", "startColumn", "endLine", "endColumn"}
        assert all(value >= 1 for value in physical["region"].values())
        assert all(place["name"] and place["fullyQualifiedName"] for place in location.get("logicalLocations", []))
    assert len(run["results"]) <= 5000
    assert all(value for value in _strings(log))


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    return [value] if isinstance(value, str) else []


def test_sarif_is_what_github_takes() -> None:
    check_sarif(json.loads(sarif.render(sample.REPORT, PLAIN)))
    check_sarif(json.loads(sarif.render(Report((MANY,), "0.1.0"), PLAIN)))


def test_sarif_stands_at_the_source_line_where_it_is_in_the_repository() -> None:
    here = Rendering(locate=lambda path: "src/reviews.py" if path.endswith("reviews.py") else as_given(path))
    first, second, *_ = sarif.document(sample.REPORT, here)["runs"][0]["results"]
    place = first["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("src/reviews.py", 48)
    place = second["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("exports/reviews.onnx", 1)


def test_sarif_says_what_could_not_be_audited() -> None:
    run = sarif.document(sample.REPORT, PLAIN)["runs"][0]
    assert run["invocations"][0]["executionSuccessful"] is False
    assert [n["level"] for n in run["invocations"][0]["toolExecutionNotifications"]] == ["warning", "error"]
    fine = sarif.document(Report((sample.LEAKY,), "0.1.0"), PLAIN)["runs"][0]
    assert fine["invocations"][0]["executionSuccessful"] is True


def test_sarif_leaves_accepted_findings_out() -> None:
    excused = dataclasses.replace(sample.LEAKY, findings=())
    assert sarif.document(Report((excused,), "0.1.0"), PLAIN)["runs"][0]["results"] == []


def test_sarif_quotes_paths() -> None:
    model = dataclasses.replace(sample.LEAKY, path="my exports/modèle 1%.onnx")
    log = sarif.document(Report((model,), "0.1.0"), PLAIN)
    check_sarif(log)
    uri = log["runs"][0]["results"][1]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(uri) == "my exports/modèle 1%.onnx"


def check_junit(text: str) -> ElementTree.Element:
    root = ElementTree.fromstring(text)
    for element in (root, *root.iter("testsuite")):
        cases = list(element.iter("testcase"))
        assert int(element.get("tests", "-1")) == len(cases)
        for attribute, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(element.get(attribute, "-1")) == sum(case.find(kind) is not None for case in cases)
        assert float(element.get("time", "-1")) >= 0
    for case in root.iter("testcase"):
        assert case.get("classname") is not None and case.get("name") is not None
        assert sum(case.find(kind) is not None for kind in ("failure", "error", "skipped")) <= 1
    return root


def test_junit_counts_and_tells_all_in_its_text() -> None:
    root = check_junit(junit.render(sample.REPORT))
    (failure,) = root.iter("failure")
    assert "reviews.py:48" in (failure.text or "") and "Mend: Divide" in (failure.text or "")
    skipped = [case.find("skipped") for case in root.iter("testcase")]
    assert any(s is not None and "Trained with right padding only." in (s.text or "") for s in skipped)


def test_github_shows_no_more_than_is_shown() -> None:
    lines = github.render(Report((MANY,), "0.1.0"), PLAIN).splitlines()
    for level, left in (("error", 3), ("warning", 15), ("notice", 4)):
        shown = [line for line in lines if line.startswith(f"::{level} ")]
        assert len(shown) == github.MOST_SHOWN
        assert f"and {left} more {level}s" in shown[-1]


COMMAND = re.compile(r"::(error|warning|notice) ((file=[^,:]+,line=\d+,)?title=[^,:]*)::([^\r\n]*)")


def check_commands(text: str) -> None:
    *commands, last = text.removesuffix("\n").split("\n")
    assert last.startswith("maskcheck: ")
    for line in commands:
        assert COMMAND.fullmatch(line), line
        assert re.fullmatch(r"([^%]|%(25|0A|3A|2C))*", line), line
    assert "##[" not in text


def test_github_escapes() -> None:
    check_commands(github.render(sample.REPORT, PLAIN))
    line = github.annotation("error", "a:b,c%", "50 % of\n::error::x", "d,e:f")
    assert line == "::error file=d%2Ce%3Af,line=1,title=a%3Ab%2Cc%25::50 %25 of%0A::error::x"


def test_a_job_summary_is_cut_to_what_github_takes() -> None:
    report = Report((MANY,) * 300, "0.1.0")
    text = markdown.job_summary(report)
    assert len(text.encode()) < 1024 * 1024
    assert "The rest was cut" in text
    assert markdown.job_summary(sample.REPORT) == markdown.render(sample.REPORT)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b*c", "a\\_b\\*c"),
        ("<b>&amp;", "\\<b\\>\\&amp;"),
        ("@user", "@&#8288;user"),
        ("https://x", "https:&#8288;//x"),
        ("- item", "&#8288;- item"),
        ("1. item", "&#8288;1. item"),
        ("0.82 sd (noise 3e-6)", "0.82 sd (noise 3e-6)"),
    ],
)
def test_markdown_escapes(text: str, expected: str) -> None:
    assert markdown.escaped(text) == expected


def test_markdown_code_spans_hold_anything() -> None:
    assert markdown.span("a`b``c") == "```a`b``c```"
    assert markdown.span("`") == "`` ` ``"
    assert markdown.span("\x00") == "(no name)"
    assert markdown.cell("a|b") == "`a\\|b`"
    assert markdown.block("```") == "````text\n```\n````"


def test_jsonl_has_a_model_a_line() -> None:
    lines = [json.loads(line) for line in jsonl.render(sample.REPORT).splitlines()]
    assert [line["model"]["path"] for line in lines] == [model.path for model in sample.REPORT.models]
    assert all(line["schema_version"] == 1 and line["tool"]["name"] == "maskcheck" for line in lines)


def check_everything(report: Report) -> None:
    """No format lets a name out of its place."""
    for name, reporter in REPORTERS.items():
        text = reporter(report, PLAIN)
        assert text.encode("utf-8"), name
        if name not in ("json", "jsonl", "sarif"):
            bad = [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c != "\n"]
            assert not bad, (name, bad)
    check_page(html.render(report, PLAIN))
    check_sarif(json.loads(sarif.render(report, PLAIN)))
    check_junit(junit.render(report))
    check_commands(github.render(report, PLAIN))


def wearing(name: str) -> Report:
    """A report in which everything bears one name, and a second one with every drawing on it."""
    leaky, failed = named(name).models
    accepted = tuple(dataclasses.replace(a, reason=name, source=name) for a in sample.LEAKY.accepted)
    full = dataclasses.replace(sample.LEAKY, path=name, notes=(name,), stale=(name,), accepted=accepted)
    return Report((leaky, failed, full), "0.1.0", {name: name}, {name: name})


@pytest.mark.parametrize("name", HOSTILE_TEXTS)
def test_hostile_names(name: str) -> None:
    check_everything(wearing(name))


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60))
def test_any_name(name: str) -> None:
    check_everything(wearing(name))


def test_accepted_leaks_are_in_every_report() -> None:
    for name, reporter in REPORTERS.items():
        text = reporter(sample.REPORT, Rendering(width=200))
        if name not in ("sarif", "github"):  # where an entry would be an alert
            assert "Trained with right padding only." in text, name
        assert name == "junit" or re.search(r"2 accepted|accepted\W+2|suppressed\W+2", text), name


def test_the_command_to_run_again() -> None:
    model = dataclasses.replace(sample.LEAKY, path="my model.onnx")
    report = Report((model,), "0", {}, {"seed": 3, "require": ["length", "mates", "side"], "samples": None})
    assert command(report, model) == "maskcheck audit 'my model.onnx' --seed 3 --require side"
    report = dataclasses.replace(report, flags=("--input", "x=features,dims=batch:time:-"))
    assert command(report, model) == "maskcheck audit 'my model.onnx' --input x=features,dims=batch:time:-"
    dashed = dataclasses.replace(model, path="-rf.onnx")
    assert command(Report((dashed,), "0"), dashed) == "maskcheck audit ./-rf.onnx"


def test_an_excused_model_says_so() -> None:
    excused = dataclasses.replace(sample.LEAKY, findings=sample.FINDINGS[1:])
    assert excused.excused and excused.outcome is Outcome.LEAKY
    assert not any(f.severity is Severity.ERROR for f in excused.findings)
    assert "all of it accepted" in REPORTERS["console"](Report((excused,), "0"), PLAIN)
