"""Search over everything: names, descriptions, cards and code, with filters, counts and suggestions.

``words`` cuts texts, ``indexer`` fills the tables after a push, ``grammar`` reads what people type, ``filters`` makes
conditions of it; ``repositories``, ``code``, ``people`` and registered providers find; ``service`` puts it together.
"""
