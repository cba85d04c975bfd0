"""Runs one case of a DTDL conformance suite: what does our reading say of it?"""

import json
from collections.abc import Mapping
from typing import TypedDict

from ectype.model.dtmi import is_dtmi_with_fragment
from ectype.model.language import check
from ectype.model.schema import JSON


class Verdict(TypedDict):
    """valid: the texts are DTDL; error_ids: which errors they have, each once, sorted."""

    valid: bool
    error_ids: list[str]


def run(case: Mapping[str, JSON]) -> Verdict:
    """The verdict on `case`: `input` is a list of JSON texts (or, for kind `dtmi`, an identifier)."""
    given = case.get("input")
    if case.get("kind") == "dtmi":
        return {"valid": isinstance(given, str) and is_dtmi_with_fragment(given), "error_ids": []}
    options = case.get("options")
    named = options if isinstance(options, list) else []
    undefined = (
        True if "AllowUndefinedExtensions" in named else False if "DisallowUndefinedExtensions" in named else None
    )
    texts = given if isinstance(given, list) else [given]
    quirks = case.get("quirks")
    newest = case.get("maxDtdlVersion")
    answers = _answers(case)
    found = check(
        [_text(each) for each in texts],
        undefined=undefined,
        resolver=(lambda ids: list(dict.fromkeys(answers[id_] for id_ in ids if id_ in answers))) if answers else None,
        newest=newest if isinstance(newest, int) else 4,
        tolerant=isinstance(quirks, list) and bool(quirks),
    )
    return {"valid": not found, "error_ids": sorted({each.id for each in found})}


def _answers(case: Mapping[str, JSON]) -> dict[str, str]:
    """What a resolver is asked for, and answers."""
    rounds = case.get("resolution")
    made: dict[str, str] = {}
    for each in rounds if isinstance(rounds, list) else []:
        asked = each.get("request") if isinstance(each, dict) else None
        for id_ in asked if isinstance(asked, list) else []:
            made[str(id_)] = _text(each.get("response") if isinstance(each, dict) else None)
    return made


def _text(given: JSON) -> str:
    return given if isinstance(given, str) else json.dumps(given)
