-- What of the log is known to be held outside: by whom, and what witnesses have cosigned. Applied
-- once, never edited after release. Bookkeeping: every line here is told by somebody else, and what
-- it tells is signed by the log or by a witness.

create table witnessed (
    -- immutable: an organisation, by its code, or a witness, by its name
    holder text collate "C" primary key,
    -- mutable, with size: how it is known, `shown`, `acknowledgement` or `cosignature`
    means text collate "C" not null,
    -- mutable, only to a larger one: how many entries the newest checkpoint covers that it holds
    size bigint not null check (size >= 0),
    -- mutable, with size: when that checkpoint was signed
    signed_at bigint not null,
    -- mutable, with size: since when it is known
    since bigint not null
);

create table cosignatures (
    -- immutable: how many entries the checkpoint covers
    size bigint not null check (size >= 0),
    -- immutable: the name of the witness
    witness text collate "C" not null,
    -- mutable: when it was cosigned last
    at bigint not null,
    -- mutable, with it: the line under the checkpoint
    line text collate "C" not null,
    primary key (size, witness)
);
