"""Xet's hashes and its two binary formats, on bytes alone: no hub, no web, no files.

``hashes``: what names chunks, xorbs and files. ``xorbs``: the bodies that carry data. ``shards``: the lists of files
and xorbs. Every reader takes bytes from strangers: it raises FormatError and nothing else, and its memory and time are
bounded by the limits in its module. Source: the Xet contract, sections 4 and 6.
"""
