"""Questions about the graph, in the query language of Azure Digital Twins and a little beyond it.

    page = run(graph, "SELECT T FROM DIGITALTWINS T WHERE T.temperature > 20", limit=100)
    page.rows, page.next

A text becomes a tree (`grammar`, `read`), the tree a statement of SQLite (`cells`, `where`, `pattern`, `plan`), its
rows JSON (`run`). What a caller writes becomes SQL only as bound parameters and quoted paths. docs/query.md is the
reference.
"""

from ectype.query.errors import TooLong, Unparsable
from ectype.query.run import Page, ask, run

__all__ = ["Page", "TooLong", "Unparsable", "ask", "run"]
