"""The server's edge: what strangers may cost before a request is a request.

uvicorn's own protocol, with deadlines for a request's head and body, a limit for the head, and a
cap on connections under which silent ones make room for those that speak.
"""
