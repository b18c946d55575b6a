//! A history that was rewritten and signed again is whole in itself; what a witness cosigned of the
//! old one shows it.

use gateway::audit::checkpoint::LogSigner;
use gateway::audit::cosignature::Cosigner;
use gateway::clock::Clock as _;
use gateway::config::WitnessConfig;
use gateway::practice::Stage;
use gateway::store::{HeldOutside, StoredCheckpoint, StoredCosignature};
use serde_json::json;
use tests::gateway::each_engine_prepared;
use tests::{TestGateway, binary};

use super::{CHILD, notes, report, rows, with};

/// What the witness said of a checkpoint is kept, as when it was asked.
async fn keep(gateway: &TestGateway, cosigner: &Cosigner, head: &StoredCheckpoint, note: &str) {
    let (store, now) = (&gateway.cast.app().store, gateway.clock.now());
    let line = cosigner.cosign(note, now).expect("cosigned");
    let (size, witness) = (head.size, cosigner.name().to_owned());
    let kept = StoredCosignature { size, witness: witness.clone(), at: now, line };
    store.keep_cosignature(&kept).await.expect("kept");
    let held = HeldOutside {
        holder: witness,
        means: "cosignature".to_owned(),
        size,
        signed_at: head.at,
        since: now,
    };
    store.note_held(&held).await.expect("kept");
}

#[test]
fn what_was_cosigned_must_stand_in_the_log_or_it_is_not_called_whole() {
    let prepare = async |stage: &Stage, _| {
        let vkey = stage.log_vkey().expect("a key");
        // Nobody runs it: it signs below.
        let files = stage.appoint_witness(&vkey, "").expect("a witness");
        let config = WitnessConfig::load(&files.config).expect("its file");
        Cosigner::load(&config.key, &config.name).expect("its key")
    };
    each_engine_prepared("reports_witnessed", &prepare, |gateway, cosigner| async move {
        gateway.request(CHILD, "CAMHS").await;
        let none = report(&gateway, "log-integrity", &json!({})).await;
        assert!(notes(&none).contains("Nobody outside is known"), "{none}");
        let never = rows(&none, "Proof");
        let never = with(&never, "what", "last verified at the machine");
        assert!(never[0]["words"].as_str().is_some_and(|words| words.starts_with("no verif")));

        let app = gateway.cast.app();
        let head = app.store.latest_checkpoint().await.expect("a store").expect("a checkpoint");
        keep(&gateway, &cosigner, &head, &head.note).await;
        let mut verify = binary::command();
        let said = verify.args(["audit", "verify", "-c"]).arg(gateway.cast.config_path()).output();
        assert_eq!(said.expect("it runs").status.code(), Some(0));
        let made = report(&gateway, "log-integrity", &json!({})).await;
        let proof = rows(&made, "Proof");
        assert_eq!(with(&proof, "what", "verdict")[0]["words"], "whole");
        assert_eq!(with(&proof, "what", "outcome of that")[0]["words"], "whole");
        let proved = with(&proof, "what", "proved");
        let kept = |row: &&serde_json::Value| row["words"].to_string().contains("kept elsewhere");
        assert!(proved.into_iter().any(|row| kept(&row)), "the judge was given it: {proof:?}");
        let held = rows(&made, "Held outside");
        assert_eq!(held.len(), 1, "{held:?}");
        assert_eq!(held[0]["held by"], cosigner.name());
        assert_eq!(held[0]["entries"], head.size);
        assert_eq!(held[0]["stands in this log"], "yes");

        // With the log's own key somebody signs another history; the witness had seen that one.
        let signer = LogSigner::load(&app.config.keys.log_signing, app.origin()).expect("its key");
        let other = signer.sign_checkpoint(head.size, [7; 32], head.at).expect("signed");
        keep(&gateway, &cosigner, &head, &other).await;
        let made = report(&gateway, "log-integrity", &json!({})).await;
        let proof = rows(&made, "Proof");
        assert_eq!(with(&proof, "what", "verdict")[0]["words"], "NOT whole");
        let faults = with(&proof, "what", "fault");
        assert!(faults[0]["words"].to_string().contains(cosigner.name()), "{faults:?}");
        assert_eq!(rows(&made, "Held outside")[0]["stands in this log"], "NO");
        assert!(notes(&made).contains("does NOT continue"), "{made}");
        gateway.end().await;
    });
}
