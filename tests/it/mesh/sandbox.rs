//! Against mesh-sandbox, a server we did not write: mutual TLS, full tokens.

use adapters::mesh::{Kind, TrackingStatus, WorkflowId};
use gateway::delivery::SendError;
use gateway::delivery::mesh::exchange::{Letter, MeshError};
use tests::sandbox::{Sandbox, mailbox};

fn workflow() -> WorkflowId {
    WorkflowId::parse("TEST_WORKFLOW").expect("a workflow id")
}

/// Bytes that do not compress to nothing.
fn noise(length: usize) -> Vec<u8> {
    let next = |state: &mut u64| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Some(state.to_be_bytes()[0])
    };
    std::iter::from_fn({
        let mut state = 7;
        move || next(&mut state)
    })
    .take(length)
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_three_chunks_goes_through_the_sandbox_byte_for_byte() {
    let Some(sandbox) = Sandbox::start().await else { return };
    let ours = sandbox.exchange("gateway", |mesh| {
        mesh.chunk_bytes = 1024.try_into().expect("a size");
    });
    let ours = ours.expect("an exchange");
    let theirs = sandbox.exchange("trust", |_| {}).expect("an exchange");
    ours.handshake().await.expect("our mailbox is known");
    theirs.greet().await.expect("their mailbox is known");

    let (to, workflow, body) = (mailbox("X26ABC2"), workflow(), noise(3000));
    let letter = Letter {
        to: &to,
        workflow: &workflow,
        local_id: "0196f000-0000-7000-8000-000000000001",
        subject: "advice.request",
        content_type: "application/json",
        body: &body,
    };
    let id = ours.send(&letter).await.expect("it is taken");
    let tracked = ours.track(&id).await.expect("an answer").expect("it is known");
    assert_eq!(tracked.status, TrackingStatus::Accepted);
    assert_eq!(tracked.local_id.as_deref(), Some(letter.local_id));
    assert_eq!(tracked.recipient, Some(to));

    let page = theirs.list(None, None).await.expect("a page");
    assert_eq!((page.messages.as_slice(), page.unusable), ([id.clone()].as_slice(), 0));
    let filtered = theirs.list(Some("!TEST_WORKFLOW"), None).await.expect("a page");
    assert!(filtered.messages.is_empty());
    let arriving = theirs.fetch(&id).await.expect("headers");
    assert_eq!(arriving.headers.kind, Kind::Data);
    assert_eq!(arriving.headers.from, Some(mailbox("X26ABC1")));
    assert_eq!(arriving.headers.workflow.as_ref(), Some(&workflow));
    assert_eq!(arriving.headers.chunk.total, 3);
    assert!(arriving.headers.checksum.is_some(), "the checksum is passed on");
    let whole = theirs.rest(arriving, 1 << 20).await.expect("the rest");
    assert_eq!(whole, body);

    theirs.acknowledge(&id).await.expect("acknowledged");
    theirs.acknowledge(&id).await.expect("twice is harmless");
    assert!(theirs.list(None, None).await.expect("a page").messages.is_empty());
    let tracked = ours.track(&id).await.expect("an answer").expect("it is known");
    assert_eq!(tracked.status, TrackingStatus::Acknowledged);
    assert!(theirs.track(&id).await.expect("an answer").is_none(), "only the sender tracks");
    let found = ours.find_mailboxes("X26", &workflow).await.expect("an answer");
    assert!(found.contains(&mailbox("X26ABC2")), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_refuses_a_wrong_password_a_stranger_and_an_unknown_recipient() {
    let Some(sandbox) = Sandbox::start().await else { return };
    let wrong = sandbox.exchange("gateway", |mesh| {
        mesh.password_file = sandbox.files().wrong_password();
    });
    let refused = wrong.expect("an exchange").handshake().await;
    assert!(matches!(refused, Err(MeshError::Forbidden)), "{refused:?}");

    let stranger = sandbox.exchange("gateway", |mesh| {
        [mesh.certificate, mesh.key] = sandbox.files().stranger();
    });
    let refused = stranger.expect("an exchange").handshake().await;
    assert!(matches!(refused, Err(MeshError::Unreachable)), "{refused:?}");

    let unpinned = sandbox.exchange("gateway", |mesh| {
        let other = format!("sha256:{}", "0".repeat(64));
        mesh.server_pins = [gateway::config::Pin::parse(&other).expect("a pin")].into();
    });
    let refused = unpinned.expect("an exchange").handshake().await;
    assert!(matches!(refused, Err(MeshError::Unreachable)), "{refused:?}");

    let ours = sandbox.exchange("gateway", |_| {}).expect("an exchange");
    let (to, workflow) = (mailbox("X26NOBODY"), workflow());
    let letter = Letter {
        to: &to,
        workflow: &workflow,
        local_id: "1",
        subject: "advice.request",
        content_type: "application/json",
        body: b"{}",
    };
    let refused = ours.send(&letter).await.expect_err("nobody has this mailbox");
    let SendError::Permanent(reason) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("code 12 (the recipient's mailbox is not registered)"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_the_sandbox_names_our_message_and_its_code() {
    let Some(sandbox) = Sandbox::start().await else { return };
    let ours = sandbox.exchange("gateway", |_| {}).expect("an exchange");
    let (to, workflow) = (mailbox("X26ABC2"), workflow());
    let letter = Letter {
        to: &to,
        workflow: &workflow,
        local_id: "0196f000-0000-7000-8000-000000000002",
        subject: "advice.request",
        content_type: "application/json",
        body: b"{}",
    };
    let id = ours.send(&letter).await.expect("it is taken");
    sandbox.report("X26ABC1", id.as_str()).await;
    let page = ours.list(None, None).await.expect("a page");
    let report = ours.fetch(&page.messages[0]).await.expect("headers").headers;
    assert_eq!(report.kind, Kind::Report);
    assert_eq!(report.linked, Some(id));
    assert_eq!(report.code.as_deref(), Some("14"));
    assert_eq!(report.from, None, "a report has no sender");
}
