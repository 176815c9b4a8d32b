"""A fake of the platform: an ASGI app that implements its fifteen HTTP methods strictly.

It shares no code with `vertexkit.botone`, so that a mistake in the client cannot be repeated here.
"""
