"""Files for a customer's cluster: a policy that renames images, and nodes' set-up."""
