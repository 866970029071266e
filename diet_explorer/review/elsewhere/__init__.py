"""Review in other labelling tools: examples out as work to do, annotations back as decisions."""
