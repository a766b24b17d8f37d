"""The member's and the researcher's side: nothing leaves this machine unshared, nothing is shown unverified.

figures         a CSV or JSON table -> the figures of a study, every cell checked before anything is sent
submission      figures -> encoded, shared, sealed for each party, signed: the parts of one request
member          a member's keys and records on disk; submit, status, wait, withdraw
trust           the community pinned by its fingerprint, and its signed versions
verification    a result and everything under it, checked down to one's own receipt; only then its values
export          one file that verifies offline
query           a researcher's question: made, signed, sent, watched
http            the only module that touches the network
"""
