//! Documents of any size: uploaded in pieces, named in advice, fetched in ranges.

use gateway::practice::client::{Partner, Reply};
use gateway::practice::people;
use serde_json::{Value, json};
use tests::{TestGateway, each_engine};

const MIB: usize = 1024 * 1024;

/// A made-up document with a beginning of its kind.
fn document(start: &[u8], length: usize) -> Vec<u8> {
    let filling = (0..length).map(|at| u8::try_from(at * 7 % 253).expect("a byte"));
    start.iter().copied().chain(filling).take(length).collect()
}

fn sha256(bytes: &[u8]) -> String {
    gateway::entropy::sha256_hex(bytes)
}

/// Begins an upload; its id.
async fn begin(partner: &Partner, key: &str, size: usize, sha256: Option<&str>) -> String {
    let said = json!({ "size": size, "sha256": sha256 }).to_string();
    let reply = partner.post("/v1/documents", "application/json", key, said).await;
    let reply = reply.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["document"].as_str().expect("an id").to_owned()
}

async fn append(partner: &Partner, id: &str, offset: usize, bytes: &[u8]) -> Reply {
    let offset = u64::try_from(offset).expect("an offset");
    partner.append(id, offset, bytes.to_vec()).await.expect("an answer")
}

async fn show(partner: &Partner, id: &str) -> Reply {
    partner.get(&format!("/v1/documents/{id}"), None).await.expect("an answer")
}

/// Uploads a document in one request; its id and how it stands then.
async fn upload(partner: &Partner, key: &str, bytes: &[u8]) -> (String, Value) {
    let id = begin(partner, key, bytes.len(), Some(&sha256(bytes))).await;
    let reply = append(partner, &id, 0, bytes).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    (id, reply.json())
}

/// Advice of a trust that names a document.
fn advice(trust: &Partner, id: &str, leg: &str, documents: &Value, gateway: &TestGateway) -> Value {
    let child = people::child(1);
    let mut advice = people::advice(&trust.code, id, leg, &child, gateway.today());
    advice["attachments"] = documents.clone();
    advice
}

/// The rules under which a message was refused.
async fn refused(trust: &Partner, key: &str, message: &Value) -> Vec<String> {
    let reply = trust.send(key, message).await.expect("an answer");
    assert_eq!(reply.status, 422, "{}", reply.text());
    let reply = reply.json();
    let issues = reply["issues"].as_array().expect("issues");
    issues.iter().map(|issue| issue["rule"].as_str().expect("a rule").to_owned()).collect()
}

async fn range(partner: &Partner, path: &str, range: &str) -> (u16, Option<String>, Vec<u8>) {
    let reply = partner.get_range(path, range).await.expect("an answer");
    let said = reply.headers().get("content-range").map(|v| v.to_str().expect("text").to_owned());
    (reply.status().as_u16(), said, reply.bytes().await.expect("a body").to_vec())
}

#[test]
fn a_document_comes_in_pieces_with_an_interruption_and_leaves_in_ranges() {
    each_engine("documents", |gateway| async move {
        let leg = gateway.request(1, "PAEDIATRICS").await;
        let pdf = document(b"%PDF-1.7\n", 4 * MIB + 12_345);
        let digest = sha256(&pdf);

        let trust = gateway.acute();
        let id = begin(trust, "d-1", pdf.len(), Some(&digest)).await;
        assert_eq!(begin(trust, "d-1", pdf.len(), Some(&digest)).await, id, "begun once");
        let named = json!([{ "document": id, "name": "report.pdf" }]);
        let early = advice(trust, "A-0", &leg, &named, &gateway);
        assert_eq!(refused(trust, "a-0", &early).await, ["document-incomplete"]);

        // A segment and a half came; the half is to be sent again.
        let reply = append(trust, &id, 0, &pdf[..MIB + MIB / 2]).await;
        assert_eq!(reply.json()["received"], MIB, "{}", reply.text());
        let reply = append(trust, &id, MIB + MIB / 2, &pdf[MIB + MIB / 2..]).await;
        assert_eq!((reply.status, reply.header("upload-offset")), (409, Some("1048576")));
        assert_eq!(append(trust, &id, MIB, &document(b"", 4 * MIB)).await.status, 413, "too much");

        let gateway = gateway.restart().await;
        let trust = gateway.acute();
        let stands = show(trust, &id).await;
        let at: usize = stands.header("upload-offset").expect("an offset").parse().expect("one");
        assert_eq!(at, MIB, "a request that brings too much brings nothing");
        let reply = append(trust, &id, at, &pdf[at..]).await;
        let stands = reply.json();
        let found = (&stands["state"], &stands["sha256"], &stands["media_type"]);
        assert_eq!(found, (&json!("ready"), &json!(digest), &json!("application/pdf")));
        assert_eq!(append(trust, &id, pdf.len(), b"x").await.status, 409, "it has all its bytes");

        let message = advice(trust, "A-1", &leg, &named, &gateway);
        let reply = trust.send("a-1", &message).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());

        let la = gateway.la();
        let delivery = gateway.inbox(la).await.pop().expect("a delivery");
        let path = format!("/v1/inbox/{delivery}");
        let answer = la.get(&path, Some("application/json")).await.expect("an answer").json();
        let attached = &answer["attachments"][0];
        assert_eq!(attached["sha256"], digest.as_str());
        assert_eq!(attached["size"], pdf.len());
        let href = attached["href"].as_str().expect("a path");
        assert_eq!(href, format!("{path}/documents/1"));
        let bundle = la.get(&path, Some("application/fhir+json")).await.expect("an answer");
        assert!(bundle.text().contains(href) && bundle.text().contains(&digest));

        let mut whole = Vec::new();
        while whole.len() < pdf.len() {
            let asked = format!("bytes={}-{}", whole.len(), whole.len() + 1_500_000);
            let (status, said, piece) = range(la, href, &asked).await;
            assert_eq!(status, 206);
            assert!(said.expect("a range").ends_with(&format!("/{}", pdf.len())));
            whole.extend(piece);
        }
        assert_eq!(sha256(&whole), digest);
        let all = la.get(href, None).await.expect("an answer");
        assert_eq!((all.status, sha256(&all.body)), (200, digest.clone()));
        assert_eq!(all.header("etag"), Some(format!("\"{digest}\"").as_str()));
        let (status, said, _) = range(la, href, &format!("bytes={}-", pdf.len())).await;
        assert_eq!((status, said), (416, Some(format!("bytes */{}", pdf.len()))));
        let other = gateway.mental().get(href, None).await.expect("an answer");
        assert_eq!(other.status, 404, "another's delivery");
        gateway.end().await;
    });
}

#[test]
fn what_is_not_ones_own_not_what_was_declared_or_not_a_document_is_refused() {
    each_engine("documents_refused", |gateway| async move {
        let leg = gateway.request(1, "PAEDIATRICS").await;
        let trust = gateway.acute();
        let other = gateway.mental();

        let (theirs, stands) = upload(other, "d-1", &document(b"%PDF-1.7", 5000)).await;
        assert_eq!(stands["state"], "ready");
        assert_eq!(show(trust, &theirs).await.status, 404, "another's document");
        let named = json!([{ "document": theirs, "name": "theirs.pdf" }]);
        let message = advice(trust, "A-1", &leg, &named, &gateway);
        assert_eq!(refused(trust, "a-1", &message).await, ["document-unknown"]);
        let named = json!([{ "document": "not-an-id", "name": "theirs.pdf" }]);
        let message = advice(trust, "A-2", &leg, &named, &gateway);
        assert_eq!(refused(trust, "a-2", &message).await, ["document-unknown"]);

        let (program, stands) = upload(trust, "d-2", &document(b"MZ\x90\0", 3 * MIB)).await;
        assert_eq!(
            (&stands["state"], &stands["reason"]),
            (&json!("refused"), &json!("document-type"))
        );
        let named = json!([{ "document": program, "name": "report.pdf" }]);
        let message = advice(trust, "A-3", &leg, &named, &gateway);
        assert_eq!(refused(trust, "a-3", &message).await, ["document-refused"]);

        let pdf = document(b"%PDF-1.7", 2 * MIB);
        let id = begin(trust, "d-3", pdf.len(), Some(&sha256(b"something else"))).await;
        let stands = append(trust, &id, 0, &pdf).await.json();
        assert_eq!(stands["reason"], "document-digest");
        let kept = gateway.folder().join("data/documents");
        let left = std::fs::read_dir(kept).expect("a folder").count();
        assert_eq!(left, 1, "nothing is left of what was refused");

        let too_large = json!({ "size": 6_u64 * 1024 * 1024 * 1024 }).to_string();
        let reply = trust.post("/v1/documents", "application/json", "d-4", too_large).await;
        assert_eq!(reply.expect("an answer").status, 413);
        gateway.end().await;
    });
}

#[test]
fn what_is_changed_where_it_is_kept_never_reaches_anybody() {
    each_engine("documents_changed", |gateway| async move {
        let leg = gateway.request(1, "PAEDIATRICS").await;
        let trust = gateway.acute();
        let pdf = document(b"%PDF-1.7", 3 * MIB);
        let (id, _) = upload(trust, "d-1", &pdf).await;
        let named = json!([{ "document": id, "name": "report.pdf" }]);
        let message = advice(trust, "A-1", &leg, &named, &gateway);
        let reply = trust.send("a-1", &message).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());

        let kept = gateway.folder().join("data/documents").join(&id);
        let second = kept.join("00001");
        let mut sealed = std::fs::read(&second).expect("a segment");
        assert!(!sealed.windows(9).any(|bytes| bytes == &pdf[MIB..MIB + 9]), "sealed");
        sealed[500] ^= 1;
        std::fs::write(&second, &sealed).expect("written");

        let la = gateway.la();
        let delivery = gateway.inbox(la).await.pop().expect("a delivery");
        let href = format!("/v1/inbox/{delivery}/documents/1");
        let (status, _, first) = range(la, &href, "bytes=0-1048575").await;
        assert_eq!((status, first.as_slice()), (206, &pdf[..MIB]));
        let cut = la.get_range(&href, "bytes=0-").await.expect("an answer").bytes().await;
        assert!(cut.is_err(), "a changed segment cuts the connection");
        // One segment in the place of another.
        std::fs::copy(kept.join("00000"), &second).expect("copied");
        let cut = la.get_range(&href, "bytes=1048576-2097151").await.expect("an answer");
        assert!(cut.bytes().await.is_err());
        gateway.end().await;
    });
}

/// Every document that has ended and of which something may be left: its id, and whether it has a key.
async fn ended(gateway: &TestGateway) -> Vec<(String, bool)> {
    let store = &gateway.cast.app().store;
    let left = store.uncleared_documents(None, 10).await.expect("they are read");
    left.iter().map(|one| (one.id.to_string(), !one.header.as_bytes().is_empty())).collect()
}

async fn has_a_key(gateway: &TestGateway, id: &str) -> bool {
    let store = &gateway.cast.app().store;
    let known = store.find_document(id.parse().expect("an id")).await.expect("it is read");
    !known.expect("it is known").header.as_bytes().is_empty()
}

#[test]
fn a_document_that_ended_has_no_key_and_what_could_not_be_taken_away_goes_another_day() {
    each_engine("documents_ended", |gateway| async move {
        let (trust, app) = (gateway.acute(), gateway.cast.app());
        let kept = gateway.folder().join("data/documents");
        let (refused, stands) = upload(trust, "d-1", &document(b"MZ\x90\0", 5_000)).await;
        assert_eq!(stands["state"], "refused");
        assert!(!has_a_key(&gateway, &refused).await);
        assert!(ended(&gateway).await.is_empty(), "nothing is left of it");

        // An upload is given up; the place where it is kept does not do as it is told.
        let pdf = document(b"%PDF-1.7", 2 * MIB);
        let given_up = begin(trust, "d-2", pdf.len(), None).await;
        append(trust, &given_up, 0, &pdf[..MIB]).await;
        assert!(has_a_key(&gateway, &given_up).await);
        let segment = kept.join(&given_up).join("00000");
        let bytes = std::fs::read(&segment).expect("a segment");
        std::fs::remove_file(&segment).expect("it is moved");
        std::fs::create_dir_all(segment.join("in the way")).expect("a folder");
        gateway.clock.advance(jiff::SignedDuration::from_hours(49));
        let round = gateway::documents::caretaker::round(app).await.expect("a round");
        assert_eq!(round.abandoned, 1, "that it is given up stands");
        assert_eq!(ended(&gateway).await, [(given_up.clone(), false)]);
        let failed = gateway::duties::run_due(app).await;
        let failed = gateway::telemetry::chain(&failed.expect_err("it is said"));
        assert!(failed.contains("segments of 1 documents that have ended"), "{failed}");
        std::fs::remove_dir_all(&segment).expect("the way is free");
        std::fs::write(&segment, bytes).expect("a segment");
        gateway.clock.advance(jiff::SignedDuration::from_mins(11));
        gateway::duties::run_due(app).await.expect("duties");
        assert!(ended(&gateway).await.is_empty() && !kept.join(&given_up).exists());

        // As a gateway from before left it: refused, with its key and a segment.
        let key = match gateway.engine {
            tests::Engine::Sqlite => "x'0102'",
            tests::Engine::Postgres => "'\\x0102'::bytea",
        };
        let sql = format!(
            "update documents set header = {key}, removed_at = null, cleared_at = null
            where state = 'refused'"
        );
        tests::faults::Beside::of(&gateway).await.run(&sql).await;
        std::fs::create_dir(kept.join(&refused)).expect("a folder");
        std::fs::write(kept.join(&refused).join("00000"), "sealed").expect("a segment");
        assert_eq!(ended(&gateway).await, [(refused.clone(), true)]);
        gateway.clock.advance(jiff::SignedDuration::from_hours(24));
        gateway::duties::run_due(app).await.expect("duties");
        assert!(!has_a_key(&gateway, &refused).await);
        assert!(ended(&gateway).await.is_empty() && !kept.join(&refused).exists());
        assert!(!app.config.retention.enabled, "whatever the retention schedule is set to");
        gateway.end().await;
    });
}
