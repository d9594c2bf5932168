"""The real parts on one machine, as processes of an ordinary user, on loopback. `python -m tools.devstack --help`."""
