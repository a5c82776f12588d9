"""The pages themselves, a module for each group: parse, ask services, render."""
