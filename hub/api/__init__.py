"""Floor 7: REST under /api/v1, described by /api/openapi.json. Thin: parse, call one service function, render."""
