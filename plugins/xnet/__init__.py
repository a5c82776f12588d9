"""Xet: contents in chunks that files share, for clients that move only the chunks that are new.

Source of every "Xet contract, section N" in this package: the Xet protocol as clients of huggingface_hub speak it.
"""
