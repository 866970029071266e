"""How things are drawn: words, colours, markup, tables, charts."""
