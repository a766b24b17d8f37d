"""What can be called, a module each: enrolment, studies, submissions, party_documents, queries, results, feed,
progress, operations."""
