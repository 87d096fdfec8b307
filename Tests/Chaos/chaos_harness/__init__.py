"""Real processes under faults, and books that prove that nothing was lost: see docs/reliability.md."""
