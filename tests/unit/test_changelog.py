"""The changelog keeps its form, and its newest release is the version of the program."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import maskcheck

TEXT = (Path(maskcheck.__file__).parent.parent / "CHANGELOG.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
RELEASE = re.compile(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})")
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def releases() -> list[tuple[str, str]]:
    found = [RELEASE.fullmatch(section) for section in SECTIONS[1:]]
    return [(match[1], match[2]) for match in found if match is not None]


def test_what_is_not_released_stands_first_and_every_other_section_is_a_dated_version() -> None:
    assert SECTIONS[0] == "[Unreleased]"
    assert len(releases()) == len(SECTIONS) - 1


def test_the_newest_release_is_the_version_of_the_program() -> None:
    assert releases()[0][0] == maskcheck.__version__


def test_releases_stand_from_new_to_old() -> None:
    versions = [tuple(map(int, version.split("."))) for version, _ in releases()]
    dates = [date.fromisoformat(day) for _, day in releases()]
    assert versions == sorted(set(versions), reverse=True)
    assert dates == sorted(dates, reverse=True)


def test_changes_stand_under_the_six_usual_headings() -> None:
    assert set(re.findall(r"^### (.+)$", TEXT, re.MULTILINE)) <= KINDS
