"""The whole story on one machine: four organisations as processes, members over HTTP, a verified answer.

options         what may be asked of the demo
organisations   child processes, each with its own directory and an empty environment; none is left behind
material        the figures and the study template, brought into the form that the story needs
story           the acts, from the first party card to the verified result
plain           the same answers from the open figures, written independently
comparison      one against the other, cell by cell
report          tables, progress, the JSON document and the exit status
data            figures of 400 real shops with their study, and a second example
"""
