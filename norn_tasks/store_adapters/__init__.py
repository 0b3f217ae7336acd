"""The ports that are implemented with the store's help, in a layer of their own: adapters do not know the store."""
