"""The member's and the researcher's side: nothing leaves this machine unshared, nothing is shown unverified.

tables, figures, derived     a CSV or JSON table -> the figures of a study, every cell checked first
submission                   figures -> encoded, shared, sealed for each party, signed: one request
member, receipts             what a member submitted; submit, wait, withdraw; what the parties say
query                        a researcher's question: chosen, signed, sent, watched, answered
trust                        the community pinned by its fingerprint, and its signed versions
verification, release_rules  a result and everything under it; only then its values
evidence, export             fetching what a result rests on; one file that verifies offline
http, gateway_calls          the only module that touches the network; the calls, envelopes in and out
connection, home             a gateway that serves the pinned community; what this machine remembers
drafting, enrolment, membership_ledger, stewardship, role_cards
                             founding a community, certifying members, proposing studies, cards and keys
"""
