"""Life cycles as pure state machines, and the rules of who counts.

- `study`         proposed, approved, open, closing, frozen, checked, answering, expired, deleted; or refused,
                  cancelled. Its values stand in `study_states` and `study_events`; `study` re-exports them
- `submission`    stored, receipted, counted; or refused, superseded, withdrawn, left out, removed. Its values
                  stand in `submission_states` and `submission_events`
- `query`         received, decided, running, computed, signed, published or withheld; or declined, failed
- `roster_rules`  from every party's list to the one roster that all of them sign, or to what they disagree on
- `transitions`   what the three machines share: the clock, a complaint, an event that does not fit

Each machine is a tagged union of states, one of events, and `advance(state, event) -> (state, commands)`.
Nothing here reads a clock, a file or a network: times arrive in events, and what must be done in the world
leaves as commands, values that the caller carries out. Events stand for documents whose signatures were
verified before.

Three habits hold in every machine. An event said twice is ignored. A party that says two different things is
answered with the command `RaiseComplaint`, and what it said first stands. An event that does not fit raises
`IllegalTransition`, which tells whether it merely came too early.
"""
