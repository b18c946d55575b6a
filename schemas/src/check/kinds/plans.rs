//! Rules about assessments, plans, reviews and appeals, by the dates of the SEND Regulations 2014.

use jiff::ToSpan;
use jiff::civil::Date;

use super::{Check, Said};
use crate::deadlines::Rules;
use crate::record::MessageType;

impl Check<'_> {
    pub(super) fn plans(&mut self, said: &Said<'_>) {
        self.views(said);
        self.review(said);
        self.amended_in_time(said);
        self.appeal(said);
        self.reasons(said);
        self.plan_says_something(said);
        self.sections_in_issue(said);
        self.year_group(said);
    }

    /// The family has at least 15 days for its views, the day of service being the first
    /// (regulation 13(1)).
    fn views(&mut self, said: &Said<'_>) {
        let Some((served, by)) = said.date("served_on").zip(said.date("views_by")) else { return };
        let earliest = Rules::built_in().due("reg-13-1", served);
        if earliest.is_ok_and(|earliest| by < earliest.statutory) {
            self.refuse(
                "views_by",
                "views-too-short",
                "leaves the family fewer than 15 days, counting the day of service",
                "give the fifteenth day or a later one",
            );
        }
    }

    /// The decision is out within four weeks of the meeting, and a decision to amend brings the
    /// proposed amendments with it (regulations 20 to 22; R (L, M, P) v Devon 2022).
    fn review(&mut self, said: &Said<'_>) {
        if said.kind != MessageType::ReviewDecision {
            return;
        }
        let (meeting, decided) = (said.date("meeting_on"), said.date("decided_on"));
        let by = meeting.and_then(|meeting| Rules::built_in().review_dates(meeting).ok());
        if by.zip(decided).is_some_and(|(by, decided)| decided > by.decision_by) {
            self.doubt(
                "decided_on",
                "decision-late",
                "is more than four weeks after the meeting",
                "nothing to correct if it is so; it counts as late",
            );
        }
        if said.particulars.text("review_decision") != Some("amend") {
            return;
        }
        let sent = said.date("amendments_sent_on");
        if sent.is_none() || sent.zip(decided).is_some_and(|(sent, decided)| sent > decided) {
            self.doubt(
                "amendments_sent_on",
                "amendments-not-with-decision",
                "is missing or later than the decision, with which the amendments go out",
                "give the date on which the notice with the proposed amendments was sent",
            );
        }
    }

    /// The amended plan is out within eight weeks of the notice (regulation 22(3)).
    fn amended_in_time(&mut self, said: &Said<'_>) {
        let (sent, issued) = (said.date("notice_sent_on"), said.date("issued_on"));
        let by = sent.and_then(|sent| Rules::built_in().due("reg-22", sent).ok());
        if by.zip(issued).is_some_and(|(by, issued)| issued > by.statutory) {
            self.doubt(
                "issued_on",
                "plan-late",
                "is more than eight weeks after the notice with the proposed amendments",
                "nothing to correct if it is so; it counts as late",
            );
        }
    }

    /// Two months to appeal from the notice; a certificate of mediation may give longer.
    fn appeal(&mut self, said: &Said<'_>) {
        let notice = said.date("issued_on").or_else(|| said.date("decided_on"));
        let Some((notice, by)) = notice.zip(said.date("appeal_by")) else { return };
        let earliest: Option<Date> = notice.checked_add(APPEAL_MONTHS.months()).ok();
        if earliest.is_some_and(|earliest| by < earliest && by >= notice) {
            self.doubt(
                "appeal_by",
                "appeal-window-short",
                "is less than two months after the notice",
                "check it; a certificate of mediation may make it later, nothing makes it sooner",
            );
        }
    }

    /// A decision against the family or the authority is explained.
    fn reasons(&mut self, said: &Said<'_>) {
        let particulars = said.particulars;
        let refused =
            particulars.flag("will_assess") == Some(false) && particulars.get("reason").is_none();
        if refused {
            let next = "say in a line, naming nobody, why there will be no assessment";
            let words = "is missing, though the authority will not assess";
            self.doubt("reason", "reason-missing", words, next);
        }
        let decisions = ["section_g_decision", "chc_decision", "cyp_cc_decision"];
        let against = decisions.iter().filter_map(|name| particulars.text(name));
        let against = against.into_iter().any(|code| AGAINST.contains(&code));
        if against && particulars.get("reasons").is_none() {
            let words = "is missing, though it is not agreed in full";
            self.doubt("reasons", "reason-missing", words, "give the reasons");
        }
    }

    /// A plan is its sections, or the document; a message with neither tells only that there is one.
    fn plan_says_something(&mut self, said: &Said<'_>) {
        let plan = said.is_one_of(&[MessageType::PlanFinal, MessageType::PlanAmended]);
        let sections = said.particulars.iter().any(|(name, _)| name.starts_with("section_"));
        let documents = !(self.draft.attachments.is_empty() && self.draft.references.is_empty());
        if plan && !sections && !documents {
            self.doubt(
                "plan_version",
                "plan-without-content",
                "is told without a section of the plan and without the document",
                "send the sections the recipient may have, or the plan itself",
            );
        }
    }

    fn sections_in_issue(&mut self, said: &Said<'_>) {
        let named = said.particulars.texts("sections_in_issue");
        if named.iter().any(|section| !SECTIONS.contains(&section.trim())) {
            let words = "names a section that a plan does not have";
            let next = "name sections by their letters, A to K, H1 and H2";
            self.doubt("sections_in_issue", "section-unknown", words, next);
        }
    }

    fn year_group(&mut self, said: &Said<'_>) {
        let Some(group) = said.particulars.text("year_group") else { return };
        if !group.parse::<u8>().is_ok_and(|group| group <= YEAR_GROUP_MAX) {
            let words = "is not a year group from 0 (reception) to 14";
            self.doubt("year_group", "year-group-unknown", words, "write the number alone");
        }
    }
}

/// Months from the notice of a decision within which a family may appeal (Tribunal Procedure
/// (First-tier Tribunal) (HESC Chamber) Rules 2008, rule 20).
const APPEAL_MONTHS: i32 = 2;
/// Codes of decisions that are not for what was asked, or not for all of it.
const AGAINST: [&str; 3] = ["declined", "agreed-in-part", "not-eligible"];
/// The sections of a plan (regulation 12).
const SECTIONS: [&str; 13] = ["A", "B", "C", "D", "E", "F", "G", "H", "H1", "H2", "I", "J", "K"];
/// Years of education after reception, to the end of the school year of the 19th birthday.
const YEAR_GROUP_MAX: u8 = 14;
