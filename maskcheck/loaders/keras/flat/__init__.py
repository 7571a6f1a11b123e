"""The graph of a SavedModel made flat: what its operators compute can be fetched, and replaced for their readers."""
