"""The graph of a SavedModel made graph: what its operators compute can be fetched, and replaced for their readers."""
