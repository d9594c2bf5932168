"""What Jobs in a cluster do to its Secrets, over the API server's own HTTP interface: make those that are missing, keep what a command wrote."""
