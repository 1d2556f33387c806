"""What moto answers otherwise than AWS documents, put right: one file for what belongs together.

Each file says which of moto's answers it changes and where AWS documents the other one. The calls that
change an account are held to more than moto holds them to: what AWS refuses must be refused here, and what
a call leaves alone must stay, or a fix and its undo would be proven against a server that forgives.
What is in here is our reading of AWS's documentation and no independent evidence.
"""

from corrections import buckets, documents, groups, keys, log_groups, managed_instances, profiles, volumes


def apply() -> None:
    for part in (buckets, documents, groups, keys, log_groups, profiles, volumes, managed_instances):
        part.apply()
