"""Models as people wrote them, from public reports about padding: leaky as reported, mended as the fix did it."""
