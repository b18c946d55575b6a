//! Answers: which leg a message answers, whether it may, and what it does to the clock.
//!
//! The wrong-person guard stands here: an answer attaches to a leg only when both the pseudonym
//! and the demographics agree with the request's. A mismatch discloses nothing of what we hold.

mod effect;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use schemas::deadlines::{Claim, NotShown};
use schemas::record::{Exception, ExceptionLimb};
use schemas::{Body, Field, Issue, LegId, MessageType, Place, Record};

use super::guard::Known;
use super::{ReceiveError, Sender};
use crate::app::App;
use crate::audit::SubjectKey;
use crate::queue::{CaseId, DeliveryId, DeliveryState, Leg, LegState};
use crate::store::{StoreError, StoredRecord};

pub(super) use effect::{Effect, effect};

/// The leg an answer belongs to.
pub(super) struct Attachment {
    pub(super) leg: Leg,
    /// The case of the request it belongs to.
    pub(super) case: Option<CaseId>,
    /// Who had agreed before that existing advice is sufficient (regulation 6(4)).
    agreed: BTreeSet<String>,
}

/// Where earlier rows of a batch have brought legs.
#[derive(Default)]
pub(super) struct Moved {
    states: BTreeMap<LegId, LegState>,
    agreed: BTreeMap<LegId, BTreeSet<String>>,
    replaced: BTreeSet<LegId>,
}

impl Moved {
    /// What an answer's effect will have done.
    pub(super) fn by(&mut self, effect: &Effect) {
        self.states.insert(effect.leg(), effect.state());
        if let Some(party) = effect.agrees() {
            self.agreed.entry(effect.leg()).or_default().insert(party.to_owned());
        }
    }

    /// That a redirected leg is replaced.
    pub(super) fn replaced(&mut self, leg: LegId) {
        self.replaced.insert(leg);
    }

    fn state(&self, leg: &Leg) -> LegState {
        self.states.get(&leg.id).copied().unwrap_or(leg.state)
    }
}

/// What the wrong-person guard compares.
pub(super) struct Keys {
    pub(super) subject: Option<SubjectKey>,
    pub(super) demographics: Option<[u8; 32]>,
}

impl Keys {
    /// Whether a message is about the person whom a request is about.
    async fn agree_with(&self, app: &App, request: &StoredRecord) -> Result<bool, StoreError> {
        let known = Known::of(app, request.subject, request.demographics).await?;
        Ok(known.agrees(self))
    }
}

/// An issue that does not know its place yet.
pub(super) struct Unplaced(&'static str, Field, &'static str, &'static str);

impl Unplaced {
    pub(super) fn at(self, place: &Place) -> Issue {
        Issue::error(self.0, Some(self.1), place.clone(), self.2, self.3)
    }
}

/// Finds the leg that a message answers; `None` for messages that answer none. `moved` is where
/// earlier rows of the same batch have brought legs.
pub(super) async fn attach(
    app: &App,
    sender: &Sender,
    record: &Record,
    keys: &Keys,
    moved: &Moved,
) -> Result<Result<Option<Attachment>, Unplaced>, ReceiveError> {
    let message = record.message();
    if !message.kind.answers_a_leg() {
        return Ok(Ok(None));
    }
    let leg_id = match message.leg {
        Some(leg) => leg,
        None => match only_leg(app, sender, message.kind, keys, moved).await? {
            Ok(leg) => leg,
            Err(issue) => return Ok(Err(issue)),
        },
    };
    // A leg of somebody else looks exactly like a leg that does not exist.
    let unknown = Unplaced(
        "leg-unknown",
        Field::LEG,
        "is not a request that was put to your organisation",
        "use the leg id of the request as it was delivered to you",
    );
    let Some(mut leg) = app.store.find_leg(leg_id).await? else { return Ok(Err(unknown)) };
    leg.state = moved.state(&leg);
    let asked = leg.recipient == sender.organisation;
    // Whoever asked is one of the three who agree that existing advice is sufficient.
    let asks =
        message.kind == MessageType::AdviceExistingSufficient && leg.sender == sender.organisation;
    if !asked && !asks {
        return Ok(Err(unknown));
    }
    if asked && leg.state == LegState::Withheld {
        return Ok(Err(withheld(app, &leg, unknown).await?));
    }
    let request = app.store.find_record(leg.record).await?;
    let same = match &request {
        Some(request) => keys.agree_with(app, request).await?,
        None => false,
    };
    if !same {
        return Ok(Err(Unplaced(
            "identity-mismatch",
            Field::NHS_NUMBER,
            "the person's details do not agree with the request that this answers",
            "check that this answer is about the right person; a person at the authority will look",
        )));
    }
    let replaces = message.kind == MessageType::AdviceResponse;
    if is_settled(leg.state) && !replaces {
        return Ok(Err(Unplaced(
            "leg-settled",
            Field::LEG,
            "has been answered already",
            "send a corrected advice.response, or speak to the authority",
        )));
    }
    if let Body::Exception(exception) = &message.body
        && let Err(issue) = shown(app, &leg, exception)
    {
        return Ok(Err(issue));
    }
    let agreed = match agreements(app, sender, record, &leg, moved).await? {
        Ok(agreed) => agreed,
        Err(issue) => return Ok(Err(issue)),
    };
    let case = request.and_then(|request| request.relations.case);
    Ok(Ok(Some(Attachment { leg, case, agreed })))
}

/// Whether nothing is owed any more, or people decide what is.
fn is_settled(state: LegState) -> bool {
    matches!(
        state,
        LegState::Answered
            | LegState::Sufficient
            | LegState::Nil
            | LegState::Redirected
            | LegState::Objection
    )
}

/// Whether the dates given show one of the three limbs of regulation 8(2).
fn shown(app: &App, leg: &Leg, exception: &Exception) -> Result<(), Unplaced> {
    let claim = Claim { from: Some(exception.from), until: exception.until, asked_on: None };
    let period = ("reg-8", leg.received_on, leg.statutory_due);
    let Err(why) = app.rules.excuse(period, &limb(exception), &claim) else { return Ok(()) };
    let otherwise = "if nothing of regulation 8(2) applies, send advice.late_forecast: a waiting \
        list, a vacancy or an unknown child excuses nothing";
    Err(match why {
        NotShown::Missing { .. } => Unplaced(
            "exception-not-shown",
            Field::EXCEPTION_UNTIL,
            "is needed for this limb of regulation 8(2)",
            "give the last day of the absence, in exception.until",
        ),
        NotShown::TooShort { .. } => Unplaced(
            "exception-not-shown",
            Field::EXCEPTION_UNTIL,
            "does not make an absence of at least 4 weeks on end within the six weeks",
            otherwise,
        ),
        NotShown::OutsideThePeriod { .. } => Unplaced(
            "exception-not-shown",
            Field::EXCEPTION_FROM,
            "does not fall in the six weeks of the request",
            otherwise,
        ),
        NotShown::NotListed { .. } | NotShown::Backwards { .. } | NotShown::Deadline(_) => {
            Unplaced(
                "exception-not-shown",
                Field::EXCEPTION_LIMB,
                "does not excuse lateness here",
                otherwise,
            )
        }
    })
}

/// The name of a limb in the rules.
fn limb(exception: &Exception) -> String {
    let letter = match exception.limb {
        ExceptionLimb::A => "a",
        ExceptionLimb::B => "b",
        ExceptionLimb::C => "c",
    };
    format!("reg-8-2-{letter}")
}

/// Who has agreed so far that existing advice is sufficient; an issue when the sender cannot
/// speak for the party it names.
async fn agreements(
    app: &App,
    sender: &Sender,
    record: &Record,
    leg: &Leg,
    moved: &Moved,
) -> Result<Result<BTreeSet<String>, Unplaced>, ReceiveError> {
    let message = record.message();
    let Body::Particulars(said) = &message.body else { return Ok(Ok(BTreeSet::new())) };
    if message.kind != MessageType::AdviceExistingSufficient {
        return Ok(Ok(BTreeSet::new()));
    }
    // What the family said may be recorded by whoever heard it.
    let speaks = match said.text("agreeing_party") {
        Some("authority") => leg.sender == sender.organisation,
        Some("adviser") => leg.recipient == sender.organisation,
        _ => true,
    };
    if !speaks {
        return Ok(Err(Unplaced(
            "party-not-yours",
            Field::LEG,
            "is agreed to here for a party that your organisation does not speak for",
            "the authority that asked and the service that was asked each say so themselves",
        )));
    }
    let stored = app.store.agreements_of(leg.id).await?;
    let mut agreed: BTreeSet<String> = stored.into_iter().map(|row| row.party).collect();
    agreed.extend(moved.agreed.get(&leg.id).into_iter().flatten().cloned());
    Ok(Ok(agreed))
}

/// Why a leg that is withheld is not answered: it was never put to whoever was asked, unless it was
/// taken back after they had opened it.
async fn withheld(app: &App, leg: &Leg, unknown: Unplaced) -> Result<Unplaced, StoreError> {
    let delivery = app.store.find_delivery(DeliveryId(leg.id.0)).await?;
    let opened = delivery.filter(|d| d.delivered_at.is_some() && d.state != DeliveryState::Held);
    Ok(opened.map_or(unknown, |_| TAKEN_BACK))
}

/// A request that its authority took back after it had been opened.
const TAKEN_BACK: Unplaced = Unplaced(
    "leg-taken-back",
    Field::LEG,
    "is a request that the authority has recalled, or replaced by a newer one",
    "answer the newer request in your inbox, or speak to the authority",
);

/// The one leg that an answer without a leg's id can only mean: the single request about this
/// person that the sender still owes; for advice, failing that, the single one it answered before.
async fn only_leg(
    app: &App,
    sender: &Sender,
    kind: MessageType,
    keys: &Keys,
    moved: &Moved,
) -> Result<Result<LegId, Unplaced>, ReceiveError> {
    let unknown = Unplaced(
        "leg-not-found",
        Field::LEG,
        "names no request, and none about this person waits for your organisation",
        "give the leg id of the request, or check that the person has an NHS number in both",
    );
    let Some(subject) = keys.subject else { return Ok(Err(unknown)) };
    let mut legs = app.store.legs_about(subject, &sender.organisation).await?;
    for leg in &mut legs {
        leg.state = moved.state(leg);
    }
    let open: Vec<LegId> = legs.iter().filter(|l| l.state.is_open()).map(|l| l.id).collect();
    let answered = legs.iter().filter(|l| l.state == LegState::Answered).map(|l| l.id);
    let meant = match open.as_slice() {
        [] if kind == MessageType::AdviceResponse => answered.collect(),
        _ => open,
    };
    Ok(match meant.as_slice() {
        [leg] => Ok(*leg),
        [] => Err(unknown),
        [..] => Err(Unplaced(
            "leg-ambiguous",
            Field::LEG,
            "names no request, and several about this person wait for your organisation",
            "give the leg id of the request that this answers",
        )),
    })
}

/// The first receipt date of the redirected leg that a request replaces (`domain.md` 2.3,
/// REDIRECT); `None` when it replaces none. Only a leg about the same person counts.
pub(super) async fn replaced(
    app: &App,
    sender: &Sender,
    record: &Record,
    keys: &Keys,
    moved: &Moved,
) -> Result<Result<Option<(LegId, Date)>, Unplaced>, ReceiveError> {
    let Body::Request(request) = &record.message().body else { return Ok(Ok(None)) };
    let Some(replaces) = request.replaces_leg else { return Ok(Ok(None)) };
    if request.services.len() != 1 {
        return Ok(Err(Unplaced(
            "replaces-for-one",
            Field::REPLACES_LEG,
            "is for one service, and the request names several",
            "send a request of its own to the service that is asked instead",
        )));
    }
    let unknown = Unplaced(
        "replaces-unknown",
        Field::REPLACES_LEG,
        "is not a redirected request of yours about the same person",
        "use the leg id of the redirected request, or leave it out",
    );
    let leg = app.store.find_leg(replaces).await?;
    let leg =
        leg.filter(|leg| leg.sender == sender.organisation && leg.state == LegState::Redirected);
    let Some(leg) = leg else { return Ok(Err(unknown)) };
    let request = app.store.find_record(leg.record).await?;
    let same = match &request {
        Some(request) => keys.agree_with(app, request).await?,
        None => false,
    };
    if !same {
        return Ok(Err(unknown));
    }
    if leg.replaced_by.is_some() || moved.replaced.contains(&replaces) {
        return Ok(Err(Unplaced(
            "replaces-used",
            Field::REPLACES_LEG,
            "has been replaced by another request already",
            "leave it out; this request then has its own six weeks",
        )));
    }
    Ok(Ok(Some((replaces, leg.received_on))))
}
