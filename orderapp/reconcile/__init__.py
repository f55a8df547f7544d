"""Whether the topics and the store agree: the proof that nothing was lost or charged twice."""
