"""Commands about the databases, keys and topics of apps."""
