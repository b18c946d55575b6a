-- Questions about people: whether a sender has ever sent a record about someone. Applied once,
-- never edited after release.
--
-- Since this version the rows of `overrides` are no longer kept for good: a new hold takes the
-- earlier votes off its delivery. The log keeps them.

create index records_subject on records (subject, sender) where subject is not null;
