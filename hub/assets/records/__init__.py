"""Prompts, skills and MCP servers: what their files say, kept as records that can be listed, searched and used."""
