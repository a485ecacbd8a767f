"""One engine host for several front ends of a machine: what they say to each other, and how.

A front end renders through `siblings.Sibling`, the host is `host.EngineHost`, and both speak
over Unix sockets in one private folder (`sockets`), framed by `wire`. Nothing is pickled.
"""
