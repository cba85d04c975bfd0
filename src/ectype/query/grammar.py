"""The grammar, and what is said when a text does not follow it.

An LALR(1) parser with a lexer that knows what may come next, so that only reserved words in their places are reserved.
Making it takes some 50 ms; that, and the import of lark, happens at the first query.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ectype.query.errors import Unparsable

if TYPE_CHECKING:
    from lark import Lark

GRAMMAR = r"""
start: SELECT [top] [columns] FROM collection [as_of] [where] [group] [order] ";"?
top: TOP "(" INT ")" | TOP INT
columns: STAR -> star | item ("," item)* -> items
item: (path | aggregate) [AS _label]
_label: NAME | ESCAPED
aggregate: FUNCTION "(" [path | STAR] ")"

collection: twins | relationships
twins: DIGITALTWINS [NAME] join* | DIGITALTWINS [NAME] match
relationships: RELATIONSHIPS [NAME]
join: JOIN NAME RELATED NAME "." _name [NAME]
match: MATCH node (edge node)*
node: "(" [NAME] ")"
edge: (ENTER | LEAVE_LEFT) [names] [":" names] [hops] (LEAVE | ENTER_RIGHT)
names: _name ("|" _name)*
hops: "*" INT -> exactly | "*" INT ".." INT -> between | "*" ".." INT -> up_to
as_of: AS OF (INT | STRING)

where: WHERE condition
?condition: conjunction (OR conjunction)* -> any
?conjunction: negation (AND negation)* -> all
?negation: NOT negation -> negated | "(" condition ")" | comparison | among | call
comparison: operand COMPARISON operand
among: path (IN | NIN) "[" [value ("," value)*] "]"
call: NAME "(" [operand ("," operand)*] ")"
?operand: path | value
path: _name ("." _name)*
_name: NAME | ESCAPED | SYSTEM
value: STRING | NUMBER | TRUE | FALSE | NULL

group: GROUP BY path ("," path)*
order: ORDER BY key ("," key)*
key: (path | aggregate) [ASC | DESC]

SELECT.2: /SELECT\b/i
FROM.2: /FROM\b/i
TOP.2: /TOP\b/i
AS.2: /AS\b/i
OF.2: /OF\b/i
DIGITALTWINS.2: /DIGITALTWINS\b/i
RELATIONSHIPS.2: /RELATIONSHIPS\b/i
JOIN.2: /JOIN\b/i
RELATED.2: /RELATED\b/i
MATCH.2: /MATCH\b/i
WHERE.2: /WHERE\b/i
AND.2: /AND\b/i
OR.2: /OR\b/i
NOT.2: /NOT\b/i
IN.2: /IN\b/i
NIN.2: /(NIN|NOT_IN)\b/i
TRUE.2: /TRUE\b/i
FALSE.2: /FALSE\b/i
NULL.2: /NULL\b/i
GROUP.2: /GROUP\b/i
ORDER.2: /ORDER\b/i
BY.2: /BY\b/i
ASC.2: /ASC\b/i
DESC.2: /DESC\b/i
FUNCTION.2: /(COUNT|SUM|AVG|MIN|MAX)\b/i
STAR: "*"
NAME: /[A-Za-z_][A-Za-z0-9_]*/
SYSTEM: /\$[A-Za-z_][A-Za-z0-9_]*/
ESCAPED: /\[\[[^\[\]]+\]\]/
INT: /[0-9]+/
NUMBER: /[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?/
STRING: /'([^'\\]|\\.|'')*'|"([^"\\]|\\.|"")*"/s
COMPARISON: /!=|<>|<=|>=|=|<|>/
ENTER: /<\s*-\s*\[/
LEAVE_LEFT: /-\s*\[/
LEAVE.2: /\]\s*-\s*>/
ENTER_RIGHT: /\]\s*-/
%ignore /\s+/
%ignore /--[^\n]*/
"""

LONGEST = 64 * 1024
"""Characters of a query."""

_SAID = {
    "NAME": "a name",
    "ESCAPED": "",
    "SYSTEM": "",
    "INT": "a whole number",
    "NUMBER": "a number",
    "STRING": "a text in quotes",
    "FUNCTION": "COUNT, SUM, AVG, MIN or MAX",
    "COMPARISON": "a comparison",
    "STAR": "*",
    "ENTER": "<-[",
    "LEAVE_LEFT": "-[",
    "LEAVE": "]->",
    "ENTER_RIGHT": "]-",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "COMMA": ",",
    "DOT": ".",
    "COLON": ":",
    "VBAR": "|",
    "__ANON_0": "..",
    "SEMICOLON": "",
    "$END": "the end",
}


@lru_cache(1)
def _parser(builder: Any) -> "Lark":
    # Imported here: 60 ms that `ectype serve` need not wait for.
    from lark import Lark

    return Lark(GRAMMAR, parser="lalr", lexer="contextual", transformer=builder, maybe_placeholders=True)


def parse(text: str, builder: Any) -> Any:
    """What `builder` makes of `text`. Raises Unparsable."""
    if len(text) > LONGEST:
        raise Unparsable(f"a query has at most {LONGEST} characters, this one has {len(text)}")
    surrogate = next((at for at, each in enumerate(text) if "\ud800" <= each <= "\udfff"), None)
    if surrogate is not None:
        raise Unparsable("half of a surrogate pair is no character", text[:surrogate], surrogate)
    if not text.strip():
        raise Unparsable("the query is empty; write for example SELECT * FROM DIGITALTWINS")
    parser = _parser(builder)
    from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken  # beside the parser's

    try:
        return parser.parse(text)
    except UnexpectedToken as error:
        ended = error.token.type == "$END"
        at = len(text.rstrip()) if ended else int(error.token.start_pos or 0)
        found = "the query ends" if ended else f"{str(error.token)[:40]!r} cannot be"
        raise Unparsable(f"{found} here; expected {_expected(error.accepts or error.expected)}", text, at) from None
    except UnexpectedCharacters as error:
        hint = "; a text ends with the quote it began with" if text[error.pos_in_stream] in "'\"" else ""
        message = f"this cannot be read; expected {_expected(error.allowed or set())}{hint}"
        raise Unparsable(message, text, error.pos_in_stream) from None
    except UnexpectedInput as error:
        raise Unparsable("this cannot be read", text, int(error.pos_in_stream or 0)) from None


def _expected(terminals: "set[str]") -> str:
    said = sorted({_SAID.get(each, each) for each in terminals} - {""}, key=lambda word: (not word.isupper(), word))
    if len(said) > 10:
        said = [*said[:10], "…"]
    return " or ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else "".join(said)
