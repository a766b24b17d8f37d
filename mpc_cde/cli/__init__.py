"""The console script `mpc-cde`; nothing heavy is imported until a command needs it.

app             the tree of commands, and `main`
failures        from an error to one or two sentences and an exit code
options         options that many commands share
surroundings    home directory, pinned community, gateway of one call
showing         what people read: tables, progress, receipts
and a module for each noun: community, gateway, registrar, steward, member, study, researcher, query, result, demo
"""

from mpc_cde.cli.app import main

__all__ = ["main"]
