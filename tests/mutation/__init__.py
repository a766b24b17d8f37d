"""Removes one guard at a time and sees whether a test notices: `make mutate`.

sites          finds the guards of a module and writes a switch into each
switch         the switches at run time, and the import hook that brings modules with switches
session        one pytest session that forks for every mutant, so that nothing is imported or collected twice
hunt           in which order tests are tried on mutants
forks          jobs in processes of their own
results        what was found so far, and which survivors are explained in survivors.toml
looks          which mutants each test can see
page           the table in docs/mutation.md
site/          what child processes import first, so that the switches reach them too

Nothing is ever changed in the tree: the files are copied to a directory of their own, and there the modules are
rewritten while they are imported. Every mutant is in the same program, switched off; one is switched on in a
process of its own. A switch also notes when it would make a difference (the guard refused, the bound was met
exactly), so for each mutant only the tests are run in which it can be seen at all; a mutant that makes a
difference in no test has survived without a run.
"""
