"""The language for graphs: what every loader writes and everything else reads. Knows no framework."""
