//! The table: for each type who sends it to whom, what must be there before, on what it goes, what
//! of it is cut for this recipient, and what it does.

/// One type's way.
pub(super) struct Way {
    /// The type, by its name on the wire.
    pub(super) kind: &'static str,
    pub(super) from: Who,
    pub(super) to: Who,
    pub(super) before: Before,
    /// What authority it goes on.
    pub(super) on: &'static str,
    /// What it does.
    pub(super) does: Does,
    /// The members that this recipient may not have.
    pub(super) cut: &'static [&'static str],
}

/// Who of the cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// The local authority.
    La,
    /// The authority next door.
    Next,
    /// The mental health trust.
    Trust,
    /// The acute trust.
    Other,
    /// The commissioning board.
    Icb,
}

/// What must be there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    /// A request for advice in the same case, about the same person.
    Asked,
    /// The same, and advice given and opened, under this reference.
    Advised(&'static str),
    /// An earlier message of the same sender, opened by the recipient.
    Opened,
    /// Agreement recorded under a number that is found to be the same person's.
    OtherNumber,
    /// Agreement to share comes with the message.
    Agreed,
    /// An authority's message in the same case, and agreement with the message.
    CaseAndAgreed,
    /// Nobody agreed: two named people decide, on the ground of best interests.
    TwoPeople,
}

/// What a message does beside being carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// Nothing more.
    Nothing,
    /// Brings its leg to a state.
    Leg(&'static str),
    /// Brings a clock of the case to a standing.
    Clock(&'static str, &'static str),
    /// Is the newest entry of the ledger.
    Ledger(&'static str),
    /// Is evidence on the way to adulthood, for this item.
    Shows(&'static str),
    /// Acknowledges a delivery.
    Acknowledges,
    /// Takes an earlier message back.
    TakesBack,
    /// Takes an earlier message's place.
    Replaces,
    /// What is sent about the person from now on waits.
    Stops,
    /// Both numbers have one ledger.
    OnePerson,
}

const fn way(
    (kind, from, to): (&'static str, Who, Who),
    (before, on): (Before, &'static str),
    does: Does,
    cut: &'static [&'static str],
) -> Way {
    Way { kind, from, to, before, on, does, cut }
}

use Before::{
    Advised, Agreed, Asked, CaseAndAgreed, Nothing as Alone, Opened, OtherNumber, TwoPeople,
};
use Does::{
    Acknowledges, Clock, Ledger, Leg, Nothing, OnePerson, Replaces, Shows, Stops, TakesBack,
};
use Who::{Icb, La, Next, Other, Trust};

const STATUTE: &str = "statute";
const CONSENT: &str = "consent";
const KEPT: &str = "record-keeping";
const CARE: &str = "direct-care-implied";
const BEST: &str = "best-interests";

/// Cut for whoever may not have the class `contact`.
const ADDRESS: &[&str] = &["subject.postcode"];
/// Cut for whoever may not have the class `education`.
const SCHOOL: &[&str] = &["subject.school"];
/// Cut for whoever may have neither.
const BOTH: &[&str] = &["subject.postcode", "subject.school"];
/// Cut for a service, which may not have the sections on social care.
const SOCIAL_CARE: &[&str] = &[
    "subject.postcode",
    "particulars.section_d",
    "particulars.section_h1",
    "particulars.section_h2",
    "particulars.section_j",
];

/// M01 to M33.
#[rustfmt::skip]
pub(super) const WAYS: &[Way] = &[
    way(("s23.notification", Trust, La), (Alone, STATUTE), Nothing, &[]),
    way(("ehcna.considering", La, Icb), (Alone, STATUTE), Clock("reg-5", "overdue"), &["subject.postcode", "particulars.known_services"]),
    way(("ehcna.decision", La, Trust), (Alone, STATUTE), Clock("reg-5", "met-in-time"), BOTH),
    way(("advice.request", La, Trust), (Alone, STATUTE), Leg("accepted"), &[]),
    way(("advice.accepted", Trust, La), (Asked, STATUTE), Leg("accepted"), &[]),
    way(("advice.rejected", Trust, La), (Asked, STATUTE), Leg("rejected"), &[]),
    way(("advice.redirected", Trust, La), (Asked, STATUTE), Leg("redirected"), &[]),
    way(("advice.response", Trust, La), (Asked, STATUTE), Leg("answered"), &[]),
    way(("advice.existing_sufficient", Trust, La), (Asked, STATUTE), Leg("waiting"), &[]),
    way(("advice.nil", Trust, La), (Asked, STATUTE), Leg("nil"), &[]),
    way(("advice.exception", Trust, La), (Asked, STATUTE), Leg("exception"), &[]),
    way(("advice.late_forecast", Trust, La), (Asked, STATUTE), Leg("waiting"), BOTH),
    way(("advice.chaser", La, Trust), (Asked, KEPT), Leg("waiting"), &[]),
    way(("advice.clarify", La, Trust), (Advised("T-4"), STATUTE), Nothing, &[]),
    way(("advice.amend", Trust, La), (Advised("T-4"), STATUTE), Replaces, &[]),
    way(("plan.draft_health_review", La, Icb), (Alone, STATUTE), Clock("draft-health-review", "running"), ADDRESS),
    way(("plan.section_g_agreement", Icb, La), (Asked, STATUTE), Nothing, BOTH),
    way(("plan.draft", La, Icb), (Alone, STATUTE), Clock("reg-13-1", "window-over"), BOTH),
    way(("plan.final", La, Icb), (Alone, STATUTE), Clock("cfa-44", "running"), &[]),
    way(("plan.not_issued", La, Icb), (Alone, STATUTE), Nothing, BOTH),
    way(("plan.amended", La, Trust), (TwoPeople, BEST), Clock("reg-22", "met-in-time"), SOCIAL_CARE),
    way(("plan.transfer", La, Next), (Alone, STATUTE), Clock("reg-15", "met-late"), &[]),
    way(("rcb.change", Icb, La), (Alone, STATUTE), Nothing, SCHOOL),
    way(("review.term_list", La, Trust), (Alone, STATUTE), Nothing, ADDRESS),
    way(("review.invite", La, Trust), (Alone, STATUTE), Clock("review-papers", "overdue"), &[]),
    way(("review.advice", Trust, La), (Asked, STATUTE), Nothing, &[]),
    way(("review.report", La, Icb), (Alone, STATUTE), Clock("review-decision", "overdue"), ADDRESS),
    way(("review.decision", La, Trust), (Alone, STATUTE), Clock("reg-22", "overdue"), &[]),
    way(("plan.ceased", La, Icb), (Alone, STATUTE), Nothing, ADDRESS),
    way(("consent.grant", La, Trust), (Alone, KEPT), Ledger("given"), ADDRESS),
    way(("consent.refuse", La, Trust), (Alone, KEPT), Ledger("refused"), ADDRESS),
    way(("consent.withdraw", La, Trust), (Alone, KEPT), Ledger("withdrawn"), ADDRESS),
    way(("consent.stale", La, Trust), (Alone, KEPT), Ledger("stale"), ADDRESS),
    way(("consent.restriction", La, Trust), (Alone, KEPT), Ledger("restricted"), BOTH),
    way(("transition.notify_14", Trust, Icb), (Alone, CARE), Shows("notify-14"), &[]),
    way(("transition.referral", Trust, Other), (Alone, CARE), Shows("adult-referral"), &[]),
    way(("transition.health_plan", Trust, La), (CaseAndAgreed, CONSENT), Shows("health-plan"), &[]),
    way(("careact58.request", La, Trust), (Agreed, CONSENT), Shows("section-58-requested"), ADDRESS),
    way(("careact58.outcome", La, Trust), (TwoPeople, BEST), Shows("section-58-requested"), ADDRESS),
    way(("chc.checklist", Trust, Icb), (Agreed, CONSENT), Shows("screening-16"), &[]),
    way(("chc.referral", Trust, Icb), (Agreed, CONSENT), Nothing, &[]),
    way(("chc.decision", Icb, La), (CaseAndAgreed, CONSENT), Shows("decision-17"), ADDRESS),
    way(("cyp_cc.referral", Trust, Icb), (Agreed, CONSENT), Nothing, SCHOOL),
    way(("cyp_cc.decision", Icb, La), (CaseAndAgreed, CONSENT), Nothing, BOTH),
    way(("tribunal.notice", La, Icb), (Alone, STATUTE), Clock("tribunal-directions", "overdue"), ADDRESS),
    way(("tribunal.recommendation", La, Icb), (Alone, STATUTE), Clock("tribunal-response", "overdue"), ADDRESS),
    way(("tribunal.response", Icb, La), (Asked, STATUTE), Nothing, ADDRESS),
    way(("safeguarding.alert_link", La, Trust), (Alone, STATUTE), Nothing, BOTH),
    way(("ack.transport", Trust, La), (Asked, KEPT), Nothing, &[]),
    way(("ack.business", Trust, La), (Asked, KEPT), Acknowledges, &[]),
    way(("error", Trust, La), (Asked, KEPT), Nothing, &[]),
    way(("recall", La, Icb), (Opened, KEPT), TakesBack, &[]),
    way(("person.match", La, Trust), (OtherNumber, KEPT), OnePerson, &[]),
    way(("person.merge", La, Trust), (OtherNumber, KEPT), OnePerson, &[]),
    way(("person.death", La, Trust), (Alone, KEPT), Stops, &[]),
    way(("person.address_safe", La, Trust), (Alone, KEPT), Ledger("restricted"), BOTH),
];
