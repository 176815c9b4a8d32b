"""The Bot.one platform, seen from here: wire, errors, methods."""
