"""Everything that anyone relies on, as signed documents; one module a document.

canonical    one value, one byte string; digests; scalar types    base       strict frozen models
envelope     DSSE signatures over exact bytes                     merkle     RFC 9162 trees
suites       sealing suites and public sealing keys               registry   every type by its name
authority    whose signatures a document needs                    job_names  what jobs are called

party_card, community, membership, revocation, researcher                  who is who
study (study_terms, figure, disclosure_bundle), amendment, approval, closing
submission, withdrawal, receipt, roster_list, roster, checked_roster       what counts
query, decision, result, complaint, log_checkpoint                         what was asked and answered
"""
