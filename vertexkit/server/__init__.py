"""The HTTP server: uvicorn's, with limits on what a client may use before its request is complete.

Deadlines for the head and the body of a request, a limit on the size of the head, and a limit on
open connections: when it is reached, idle connections are closed so that active clients are served.
"""
