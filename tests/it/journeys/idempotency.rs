//! A retry gets the first answer, also after a restart; a clash is refused.

use gateway::practice::people;
use tests::each_engine;

#[test]
fn a_retry_after_a_restart_gets_the_first_answer() {
    each_engine("idempotency_restart", |gateway| async move {
        let la = gateway.la().clone();
        let message =
            people::request(&la.code, "I-1", &people::child(1), &["SALT"], gateway.today());
        let first = la.send("key-1", &message).await.expect("an answer");
        assert_eq!(first.status, 201, "{}", first.text());
        let gateway = gateway.restart().await;
        let la = gateway.la();
        let again = la.send("key-1", &message).await.expect("an answer");
        assert!(again.replayed);
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.log_entry, first.log_entry);
        assert_eq!(gateway.board(la).await.len(), 1, "one effect");

        let other = people::request(&la.code, "I-2", &people::child(2), &["SALT"], gateway.today());
        let clash = la.send("key-1", &other).await.expect("an answer");
        assert_eq!(clash.status, 422);
        assert_eq!(clash.json()["code"], "idempotency-key-reused");
        let mental = gateway.mental();
        let theirs = mental.send("key-1", &other).await.expect("an answer");
        assert_ne!(theirs.json()["code"], "idempotency-key-reused", "keys belong to their sender");
        gateway.end().await;
    });
}
