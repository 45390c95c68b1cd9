"""The resources of the HTTP API: each file has a `router`, and none imports another resource.

To add one, write a file of this folder and add its module to `ROUTERS` in `api/app.py`. Each route takes a parameter
that checks the key (`api/http/access.py`). docs/extending.md names what else there is.
"""
