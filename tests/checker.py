"""Checks annotations while tests run; pyproject.toml names it. A whole number will do where a float is asked for."""

from beartype import BeartypeConf, beartype

checker = beartype(conf=BeartypeConf(is_pep484_tower=True))
