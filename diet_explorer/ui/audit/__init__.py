"""Review suspects: the deck, the list, disagreements, history, evidence."""
