"""Real servers for the gates' tests: started unprivileged on loopback, ended with the test.

Their programs come from Debian's packages and Maven's, are unpacked once into a folder outside the tree
(`/var/cache/deployctl-servers` for root, else `~/.cache/deployctl-servers`; `SERVERS_CACHE` moves it), and nothing
is installed on the machine.
"""
