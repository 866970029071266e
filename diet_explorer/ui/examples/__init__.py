"""Examples on any page: filters, ranked lists, cards, decisions."""
