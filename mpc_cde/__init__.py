"""What everybody agrees on (documents, sealing, errors), and what the gateway and the users run."""
