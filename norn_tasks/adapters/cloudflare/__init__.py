"""Cloudflare: the rules of a tunnel and the DNS records that point at it."""
