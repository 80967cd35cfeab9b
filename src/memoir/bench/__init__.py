"""The third river: data → method → metrics → run file → results and report.

A *plan* (a TOML file) spans a grid of method × data set × seed. Each cell of it is a *run*, whose
rows go to one append-only file as they come, so that a run can be killed at any moment and goes on
where it was. Everything that is read later (results, tables, reports) is made from run files alone.
"""
