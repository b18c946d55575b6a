-- On what ground a person approves the release of what is held. Applied once, never edited after
-- release. Votes from before say that the rule's own duty was confirmed.

alter table overrides add column
    -- immutable: the ground claimed
    basis text collate "C" not null default 'statute' check (basis in (
        'statute', 'safeguarding-override', 'court-or-tribunal', 'best-interests',
        'vital-interests'));
