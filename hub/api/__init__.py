"""Floor 7: the REST API. Thin: parse, call one service function, render."""
