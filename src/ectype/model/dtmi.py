"""Digital twin model identifiers: `dtmi:com:example:Turbine;1`.

    dtmi : segment ( : segment )* ; version

A segment starts with a letter and does not end with an underscore. A version has up to nine digits
and no leading zero; since v3 it may have a minor part (`;1.2`) or be absent. A name of a place in it may follow
(`#layer`), but models do not use that.
"""

import re

from ectype.errors import Invalid

_SEGMENT = r"[A-Za-z](?:[A-Za-z0-9_]*[A-Za-z0-9])?"
_NUMBER = r"[1-9][0-9]{0,8}"
_DTMI = re.compile(rf"dtmi:{_SEGMENT}(?::{_SEGMENT})*(?:;{_NUMBER}(?:\.[1-9][0-9]{{0,5}})?)?")
_PLAIN = re.compile(rf"dtmi:{_SEGMENT}(?::{_SEGMENT})*;{_NUMBER}")


def is_dtmi(text: str, *, plain: bool = False) -> bool:
    """Is `text` an identifier; `plain`: of the form v2 knows, with a version of one part?"""
    return (_PLAIN if plain else _DTMI).fullmatch(text) is not None


def is_dtmi_with_fragment(text: str) -> bool:
    """Is `text` an identifier that may go on with `#` and a segment, or with `#` alone?"""
    stem, _, fragment = text.partition("#")
    return is_dtmi(stem) and (not fragment or re.fullmatch(_SEGMENT, fragment) is not None)


def check_dtmi(text: str) -> str:
    """`text`, if it is an identifier; else Invalid."""
    if is_dtmi(text):
        return text
    raise Invalid(f"{text[:140]!r} is not a model identifier; write it like dtmi:com:example:Turbine;1")
