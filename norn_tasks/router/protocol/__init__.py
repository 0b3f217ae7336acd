"""HTTP/1.1 as bytes: parsers of requests and answers, based on llhttp; the heads that the router writes; and the
router's own answers.

No module here opens, reads or writes a connection.
"""
