//! The demo's three trusts, each with a feed of its own: a MESH mailbox, HL7 v2 over MLLP, FHIR
//! messages. And the authority's import folder.

#![expect(clippy::indexing_slicing, reason = "serde_json answers null where there is nothing")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use adapters::Format;
use adapters::feed::Feed;
use adapters::mesh::WorkflowId;
use anyhow::{Context, bail, ensure};
use jiff::civil::Date;
use serde_json::json;

use super::story::{Seen, acknowledge, child_of};
use crate::clock::Clock;
use crate::practice::mailbox::PracticeMesh;
use crate::practice::mllp::{MllpEndpoint, document};
use crate::practice::{Cast, Stage, Trust, people};
use crate::queue::CarrierKind;

/// What speaks with the gateway besides its API.
pub(super) struct Feeds {
    mesh: PracticeMesh,
    mllp: MllpEndpoint,
    /// Where answers are dropped for the authority's import job.
    pub(super) drop: PathBuf,
}

impl Feeds {
    /// Sets up every feed, starts the gateway, and leaves the trusts' endpoints unwilling.
    pub(super) async fn rise(stage: Stage, clock: Arc<dyn Clock>) -> anyhow::Result<(Cast, Self)> {
        stage.send_fhir_messages(Format::Fhir)?;
        let mesh = stage.open_mesh(Trust::Acute, clock).await?;
        let mllp = stage.open_mllp("trust-rxt").await?;
        let cast = Cast::rise(stage).await?;
        let professions = |profession: &str| -> anyhow::Result<Feed> {
            let constants =
                format!("constants = {{ \"advice.author_profession\" = \"{profession}\" }}");
            Ok(toml::from_str(&constants)?)
        };
        let pin = mllp.pin();
        let feed = professions("Clinical psychologist")?;
        let by_mllp = cast.change_partner("RXT", |partner| {
            partner.carrier = CarrierKind::Mllp;
            partner.format = Format::Hl7;
            partner.endpoint = Some(NOBODY_THERE.to_owned());
            partner.server_pins = [pin].into();
            partner.feed = feed;
        });
        by_mllp.await?;
        let feed = professions("Community paediatrician")?;
        cast.change_partner("RRK", |partner| partner.feed = feed).await?;
        let drop = cast.config_path().with_file_name("import-for-334");
        std::fs::create_dir_all(&drop)?;
        let folder = drop.clone();
        let by_folder = cast.change_partner("334", |partner| {
            partner.carrier = CarrierKind::DropFolder;
            partner.format = Format::Xlsx;
            partner.folder = Some(folder);
        });
        by_folder.await?;
        Ok((cast, Self { mesh, mllp, drop }))
    }

    /// From now on the trusts' endpoints take what they are sent.
    pub(super) async fn speak_up(&self, cast: &Cast) -> anyhow::Result<()> {
        cast.endpoint.open();
        let endpoint = self.mllp.endpoint();
        cast.change_partner("RXT", |partner| partner.endpoint = Some(endpoint)).await?;
        Ok(())
    }

    /// Stops what was set up.
    pub(super) async fn fall(self) {
        self.mllp.close().await;
        self.mesh.server.close().await;
    }
}

/// The acute trust collects from its MESH mailbox, sends receipts, and answers: FHIR, a nil return in
/// JSON, and a Kettering letter that names no request.
pub(super) async fn by_mailbox(
    cast: &Cast,
    feeds: &Feeds,
    today: Date,
    seen: &mut Seen,
    tell: &mut impl FnMut(&str),
) -> anyhow::Result<()> {
    let (mailbox, code) = (&feeds.mesh.trust, Trust::Acute.code());
    let workflow = WorkflowId::parse("EHC_ADVICE_RESP").context("a workflow id")?;
    let mut answers = 0u64;
    for _ in 0..BY_MAILBOX {
        let asked = mailbox.collect(PATIENCE).await?.context("no request came by MESH")?;
        let leg = asked.headers.local_id.clone().context("a request without its id")?;
        let text = String::from_utf8_lossy(&asked.body).into_owned();
        let number = child_of(&text).context("a child we do not know")?;
        mailbox.send_receipt(code, &asked.headers, "accepted", None).await?;
        seen.delivered += 1;
        let (child, id) = (people::child(number), format!("rrk-{number}"));
        let (media, body) = match number {
            // Child 10 is never answered: the clock runs out.
            10 => continue,
            8 => ("application/json", people::nil(code, &id, &leg, &child).to_string()),
            2 => ("application/xml", people::advice_kettering(code, &id, &child, today)),
            _ => {
                let advice = people::advice_fhir(code, &id, &leg, &child, today);
                ("application/fhir+json", advice.to_string())
            }
        };
        mailbox.send(&workflow, &id, media, body.as_bytes()).await?;
        answers += 1;
    }
    for _ in 0..answers {
        let receipt = mailbox.collect(PATIENCE).await?.context("no receipt came by MESH")?;
        let receipt: serde_json::Value = serde_json::from_slice(&receipt.body)?;
        ensure!(
            receipt["notice"]["outcome"] == "accepted",
            "an answer was not accepted: {receipt}"
        );
    }
    ensure!(is_emptied(feeds).await, "mail was left in the gateway's mailbox");
    seen.answered += answers;
    tell(&format!(
        "{} collects from its MESH mailbox and answers {answers}: FHIR, a nil return, and a Kettering letter that finds its request by the child.",
        cast.app().name_of(&schemas::OrganisationCode::parse(code)?)
    ));
    Ok(())
}

/// Whether the gateway acknowledges all its mail in time: it does so last, after its own receipts.
async fn is_emptied(feeds: &Feeds) -> bool {
    for _ in 0..STEPS {
        if feeds.mesh.server.waiting(&feeds.mesh.gateway_mailbox).is_empty() {
            return true;
        }
        tokio::time::sleep(STEP).await;
    }
    false
}

/// The mental health trust takes HL7 v2 over MLLP and answers with MDM^T02 and a PDF; what HL7 has no
/// word for (an exception, a rejection) its officer sends through the API.
pub(super) async fn by_hl7(
    cast: &Cast,
    feeds: &Feeds,
    today: Date,
    seen: &mut Seen,
    tell: &mut impl FnMut(&str),
) -> anyhow::Result<()> {
    let trust = cast.trust(Trust::Mental);
    let caller = cast.stage().mllp_caller("trust-rxt")?;
    let mut taken = Vec::new();
    for _ in 0..STEPS {
        taken = legs_of(&feeds.mllp.messages());
        if taken.len() >= BY_HL7 {
            break;
        }
        tokio::time::sleep(STEP).await;
    }
    cast.wait_until_idle(PATIENCE).await;
    ensure!(taken.len() == BY_HL7, "{} requests came by MLLP", taken.len());
    let mut answers = 0u64;
    for (leg, number) in taken {
        if number == 9 {
            bail!("a delivery went out after its withdrawal was acknowledged");
        }
        seen.delivered += 1;
        let (child, id) = (people::child(number), format!("rxt-{number}"));
        match number {
            11 => {
                let reason = json!({ "outcome": "rejected", "reason": "OUT_OF_AREA" });
                acknowledge(trust, &leg, reason).await?;
            }
            6 => {
                let later = today.saturating_add(jiff::Span::new().days(63));
                let message = people::exception(&trust.code, &id, &leg, &child, today, later);
                let reply = trust.send(&id, &message).await?;
                ensure!(reply.status == 201, "the exception was answered {}", reply.text());
            }
            _ => {
                let message = document(&trust.code, &id, Some(&leg), &child, today);
                let ack = caller.send(message.as_bytes()).await.context("no acknowledgement")?;
                ensure!(ack.contains(&format!("MSA|CA|C-{id}")), "the answer was answered {ack}");
                answers += 1;
            }
        }
    }
    seen.answered += answers;
    tell(&format!(
        "The mental health trust is sent HL7 v2 over MLLP and answers {answers} as MDM^T02 with a PDF; one is excused under regulation 8(2), one rejected."
    ));
    Ok(())
}

/// The requests among HL7 messages, once each: our number of the request, and the child.
fn legs_of(messages: &[String]) -> Vec<(String, u32)> {
    let mut found: Vec<(String, u32)> = Vec::new();
    for message in messages {
        let txa = message.split('\r').find(|segment| segment.starts_with("TXA|"));
        let id = txa.and_then(|txa| txa.split('|').nth(12)).and_then(|id| id.split('^').next());
        if let (Some(leg), Some(number)) = (id, child_of(message))
            && !found.iter().any(|(known, _)| known == leg)
        {
            found.push((leg.to_owned(), number));
        }
    }
    found
}

/// The community trust is sent FHIR messages, acknowledges in FHIR, and answers through
/// `$process-message`.
pub(super) async fn by_fhir(
    cast: &Cast,
    today: Date,
    seen: &mut Seen,
    tell: &mut impl FnMut(&str),
) -> anyhow::Result<()> {
    let trust = cast.trust(Trust::Community);
    let parcels = cast.endpoint.wait_for(BY_FHIR, PATIENCE).await;
    ensure!(parcels.len() == BY_FHIR, "{} messages were taken by FHIR", parcels.len());
    for (leg, body) in parcels {
        let number = child_of(&body).context("a child we do not know")?;
        if number == 7 {
            bail!("a delivery went out after its withdrawal was acknowledged");
        }
        seen.delivered += 1;
        let id = format!("ryw-{number}");
        let la = &cast.authority().code;
        let received = people::acknowledgement_fhir(&trust.code, la, &format!("{id}-ack"), &leg);
        let advice = people::advice_fhir(&trust.code, &id, &leg, &people::child(number), today);
        for message in [received, advice] {
            let media = "application/fhir+json; fhirVersion=4.0";
            let reply = trust.process_message(media, &[], message.to_string()).await?;
            let code = &reply.json()["entry"][0]["resource"]["response"]["code"];
            ensure!(code == "ok", "a FHIR message was answered {}", reply.text());
        }
        seen.answered += 1;
    }
    tell(&format!(
        "The community trust is sent {BY_FHIR} FHIR messages and answers them through $process-message."
    ));
    Ok(())
}

/// Where the mental health trust's engine is said to be until it is started.
const NOBODY_THERE: &str = "mllps://127.0.0.1:1";
/// Requests for paediatrics that go by mailbox.
const BY_MAILBOX: usize = 5;
/// Requests for CAMHS: four that are taken.
const BY_HL7: usize = 4;
/// Requests for speech and language therapy that are not withheld.
const BY_FHIR: usize = 3;
const PATIENCE: Duration = Duration::from_secs(30);
const STEPS: u32 = 600;
const STEP: Duration = Duration::from_millis(50);
