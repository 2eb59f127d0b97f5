"""The private registry: CNCF Distribution, with Berth as its token server."""
