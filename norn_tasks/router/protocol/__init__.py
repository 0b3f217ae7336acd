"""HTTP/1.1 as bytes: readers of requests and answers on llhttp, the heads that the router writes, and its own answers.

Nothing here opens, reads or writes a connection.
"""
