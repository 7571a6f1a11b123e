"""Contracts as people write them: a TOML file that can be reviewed, or a flag on the command line."""

from maskcheck.contract_file.flag import parse_flag
from maskcheck.contract_file.merging import merge
from maskcheck.contract_file.reader import parse, read
from maskcheck.contract_file.writer import to_toml, write

__all__ = ["merge", "parse", "parse_flag", "read", "to_toml", "write"]
