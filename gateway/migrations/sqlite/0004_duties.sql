-- What the gateway does by itself at its time. Applied once, never edited after release.

create table duties (
    -- immutable: the duty
    name text not null,
    -- immutable: the day or other period it is done for
    period text not null,
    -- mutable, bookkeeping: until when the gateway that took it on may work at it
    claimed_until integer not null,
    -- mutable, once: when it was done
    done_at integer,
    primary key (name, period)
) strict;
