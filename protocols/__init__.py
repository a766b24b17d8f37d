"""The mathematics: what is computed on shares, and what each step reveals. Pure; knows nobody."""
