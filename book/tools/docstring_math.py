"""Sphinx extension for the reference page: docstrings may write ``$...$``, ``$$...$$`` and ``|cos|``, as chapters do.

Sphinx reads docstrings as reStructuredText, where a dollar means nothing and a bar opens a substitution. In ``help()``,
where docstrings are read most, the short forms are the readable ones.
"""

import re

_PARTS = re.compile(
    r"(?P<example>^ *>>> .*(?:\n *\S.*)*)"  # a doctest, up to its empty line
    r"|(?P<literal>``.+?``)"
    r"|(?P<role>:[\w:]+:`[^`]+`)"
    r"|(?P<indent>^ *)\$\$(?P<display>[^$]+)\$\$"
    r"|\$(?P<math>[^$]+)\$"
    r"|(?P<bar>(?<!\\)\|)",
    re.MULTILINE | re.DOTALL,
)


def to_restructured_text(text: str) -> str:
    r"""The docstring with its formulas as roles and its bars escaped; examples and literals stay as they are.

    >>> print(to_restructured_text("$u_1$ has |cos| 1, see ``a | b``"))
    :math:`u_1` has \|cos\| 1, see ``a | b``
    >>> print(to_restructured_text("$$u_1 = f$$"))
    .. math:: u_1 = f
    """

    def replace(match: re.Match) -> str:
        if match["display"]:
            return f"{match['indent']}.. math:: {' '.join(match['display'].split())}"
        if match["math"]:
            return f":math:`{' '.join(match['math'].split())}`"
        return r"\|" if match["bar"] else match[0]

    return _PARTS.sub(replace, text)


def _process(app, what, name, obj, options, lines: list[str]) -> None:
    lines[:] = to_restructured_text("\n".join(lines)).split("\n")


def setup(app) -> dict:
    """Registers the translation, before napoleon reads the sections."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
