//! A large document all the way: uploaded, looked at, named in advice, fetched; with what the
//! process held at most meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{Outcome, eprintln_line, print_line, progress, table};
use crate::clock::{Clock, SystemClock};
use crate::entropy::{Sha256, hex};
use crate::practice::client::{Partner, Reply};
use crate::practice::{Cast, Plan, Stage, StorePlan, Trust, people};

/// One stage of the way.
struct Stretch {
    name: &'static str,
    took: Duration,
    bytes: u64,
    peak_kib: Option<u64>,
}

pub(super) async fn measure(folder: &Path, size: u64, json: bool) -> anyhow::Result<Outcome> {
    let clock = Arc::new(SystemClock);
    let today = clock.today();
    let dir = folder.join("documents");
    std::fs::create_dir(&dir).with_context(|| format!("{} could not be made", dir.display()))?;
    let plan = Plan { dir, store: StorePlan::Sqlite, clock };
    let cast = Cast::rise(Stage::set(plan)?).await?;
    let (la, trust) = (cast.authority(), cast.trust(Trust::Acute));
    let child = people::child(1);
    let request = people::request(&la.code, "BENCH-1", &child, &["PAEDIATRICS"], today);
    let asked = taken(la.send("bench-1", &request).await?)?.json();
    let leg = asked.pointer("/rows/0/legs/0/leg").and_then(Value::as_str);
    let leg = leg.context("the request has no leg")?.to_owned();

    let mut stretches = vec![stretch("at rest", 0, async { Ok(()) }).await?.0];
    let (first, (id, sent)) = stretch("upload", size, upload(trust, size)).await?;
    let (second, ()) = stretch("check", size, until_ready(trust, &id)).await?;
    let mut advice = people::advice(&trust.code, "BENCH-2", &leg, &child, today);
    if let Some(members) = advice.as_object_mut() {
        members.insert("attachments".to_owned(), json!([{ "document": id, "name": "large.pdf" }]));
    }
    taken(trust.send("bench-2", &advice).await?)?;
    let (third, got) = stretch("deliver", size, fetch(la, size)).await?;
    stretches.extend([first, second, third]);
    cast.fall().await;
    ensure!(got == sent, "what was fetched is not what was uploaded");
    report(&stretches, size, json);
    Ok(Outcome::Done)
}

/// Runs one stage and says how long it took and what the process held at most in it.
async fn stretch<T>(
    name: &'static str,
    bytes: u64,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<(Stretch, T)> {
    forget_peak();
    let began = Instant::now();
    let done = work.await?;
    let peak_kib = peak_kib();
    Ok((Stretch { name, took: began.elapsed(), bytes, peak_kib }, done))
}

/// Uploads a made-up PDF; its id and digest.
async fn upload(trust: &Partner, size: u64) -> anyhow::Result<(String, String)> {
    let said = json!({ "size": size }).to_string();
    let begun = trust.post("/v1/documents", "application/json", "bench-upload", said).await?;
    let begun = taken(begun)?.json();
    let id = begun.get("document").and_then(Value::as_str).context("no id")?.to_owned();
    let bar = progress(size, "upload");
    let mut hash = Sha256::default();
    let mut at = 0_u64;
    while at < size {
        let piece = piece(at, (size - at).min(PIECE))?;
        hash.update(&piece);
        let stands = taken(trust.append(&id, at, piece).await?)?.json();
        at = stands.get("received").and_then(Value::as_u64).context("no offset")?;
        bar.set_position(at);
    }
    bar.finish_and_clear();
    Ok((id, hex(&hash.finish())))
}

/// Part of the made-up document: it begins as a PDF does, and no two of its parts are alike.
fn piece(at: u64, length: u64) -> anyhow::Result<Vec<u8>> {
    let length = usize::try_from(length)?;
    let mut bytes = b"%PDF-1.7 made up for a benchmark \n".repeat(length / 34 + 1);
    bytes.truncate(length);
    if at > 0 {
        for (byte, number) in bytes.iter_mut().zip(at.to_be_bytes()) {
            *byte = number;
        }
    }
    Ok(bytes)
}

async fn until_ready(trust: &Partner, id: &str) -> anyhow::Result<()> {
    loop {
        let stands = taken(trust.get(&format!("/v1/documents/{id}"), None).await?)?.json();
        match stands.get("state").and_then(Value::as_str) {
            Some("ready") => return Ok(()),
            Some("checking") => tokio::time::sleep(Duration::from_millis(100)).await,
            state => anyhow::bail!("the document is {state:?}"),
        }
    }
}

/// Fetches the document as the authority, in ranges; its digest.
async fn fetch(la: &Partner, size: u64) -> anyhow::Result<String> {
    let inbox = taken(la.get("/v1/inbox", None).await?)?.json();
    let delivery = inbox.pointer("/deliveries/0/delivery").and_then(Value::as_str);
    let path = format!("/v1/inbox/{}/documents/1", delivery.context("nothing was delivered")?);
    let bar = progress(size, "deliver");
    let mut hash = Sha256::default();
    let mut at = 0_u64;
    while at < size {
        let last = (at + RANGE).min(size) - 1;
        let mut reply = la.get_range(&path, &format!("bytes={at}-{last}")).await?;
        while let Some(bytes) = reply.chunk().await? {
            hash.update(&bytes);
            at += u64::try_from(bytes.len())?;
        }
        ensure!(at == last + 1, "a range ended before its end");
        bar.set_position(at);
    }
    bar.finish_and_clear();
    Ok(hex(&hash.finish()))
}

fn taken(reply: Reply) -> anyhow::Result<Reply> {
    ensure!((200..300).contains(&reply.status), "refused: {}", reply.text());
    Ok(reply)
}

fn report(stretches: &[Stretch], size: u64, json: bool) {
    let mib = |bytes: u64| bytes / (1024 * 1024);
    let rate = |stretch: &Stretch| {
        let millis = u64::try_from(stretch.took.as_millis()).unwrap_or(u64::MAX).max(1);
        mib(stretch.bytes.saturating_mul(1000)) / millis
    };
    let peak = |stretch: &Stretch| {
        stretch.peak_kib.map_or_else(|| "not known here".to_owned(), |kib| (kib / 1024).to_string())
    };
    if json {
        let stages: Vec<Value> = stretches
            .iter()
            .map(|s| {
                json!({ "stage": s.name, "mib_per_second": rate(s), "peak_resident_kib": s.peak_kib,
                    "milliseconds": s.took.as_millis().to_string() })
            })
            .collect();
        print_line(&json!({ "bytes": size, "stages": stages }).to_string());
        return;
    }
    let rows = stretches.iter().map(|s| {
        // What took no time was done within the stage before.
        let quick = s.took < Duration::from_millis(100);
        let rate = if quick { "-".to_owned() } else { rate(s).to_string() };
        vec![s.name.to_owned(), rate, peak(s), format!("{:.1}", s.took.as_secs_f64())]
    });
    print_line(&table(&["stage", "MiB/s", "peak resident MiB", "seconds"], rows));
    eprintln_line(&format!(
        "One document of {} MiB over mutual TLS. The process is the gateway and both partners: of what \
         it holds, {} MiB at a time are the sender's own. The check of the first seconds is \
         part of the upload's last request.",
        mib(size),
        mib(PIECE),
    ));
}

/// Asks the system to measure the most that is held from now on.
fn forget_peak() {
    // Where that is not to be had, the figure is the most since the start.
    drop(std::fs::write("/proc/self/clear_refs", "5"));
}

/// The most that was held since, in KiB, where the system says so.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// A size as people write it: 1G, 200M, or bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.strip_suffix(['G', 'g']) {
        Some(number) => (number, 1024 * 1024 * 1024),
        None => match text.strip_suffix(['M', 'm']) {
            Some(number) => (number, 1024 * 1024),
            None => (text, 1),
        },
    };
    let size = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    size.filter(|size| (1..=crate::documents::DOCUMENT_BYTES_MAX).contains(size))
        .ok_or_else(|| "a size from 1 to 5G, for example 1G or 200M".to_owned())
}

/// What the sender sends in one request.
const PIECE: u64 = 8 * 1024 * 1024;
/// What the recipient asks for in one.
const RANGE: u64 = 64 * 1024 * 1024;
