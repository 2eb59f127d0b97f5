"""All images in one OCI image layout, to carry to a cluster without the Internet."""
