//! The canary hunt over everything that somebody who is not concerned can get.
//!
//! One child with an unlikely name is asked about, answered, consented for and refused. Then a trust
//! that has nothing to do with her, the auditor and the operator ask every route there is with the
//! real ids, and take away every file that a command makes for outsiders. None may name her, or hold
//! anything the gateway was told about her.

use std::path::Path;

use gateway::api::ROUTES;
use gateway::practice::people;
use serde_json::json;
use tests::{Engine, TestGateway};

use super::leaks::{files, hunt};

const FAMILY: &str = "Quizzlethwaite";
const GIVEN: &str = "Vexorianna";
const STREET: &str = "Plumbobbery";
const CASE: &str = "Wobblestonecase";
const WORRY: &str = "Snorkelwhacker";

/// What happened, by the ids that a curious outsider would need.
struct Told {
    canaries: Vec<String>,
    nhs_number: String,
    record: String,
    delivery: String,
}

#[test]
fn nobody_who_is_not_concerned_can_get_anything_that_names_a_child() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        let told = tell(&gateway).await;
        let outsiders = [
            ("another trust", gateway.community()),
            ("the auditor", gateway.auditor()),
            ("the operator", gateway.cast.operator()),
        ];
        let mut given = 0;
        for route in ROUTES {
            let path = filled(route.path, &told, &gateway);
            for (name, outsider) in &outsiders {
                let what = format!("what {name} gets by {} {}", route.method, route.path);
                let key = format!("curious-{name}-{}", route.path).replace(' ', "-");
                for body in bodies(&told) {
                    let reply = if route.method == "GET" {
                        outsider.get(&path, None).await
                    } else {
                        outsider.post(&path, "application/json", &key, body.to_string()).await
                    };
                    let reply = reply.expect("an answer");
                    given += usize::from(reply.status < 300);
                    hunt(&what, &reply.body, &told.canaries);
                }
            }
        }
        assert!(given > 20, "only {given} requests were answered, so this hunts nothing");
        taken_away(&gateway, &told);
        gateway.end().await;
    });
}

/// A child is asked about at two trusts; one answers; her mother agrees; a row is refused.
async fn tell(gateway: &TestGateway) -> Told {
    let (la, mental) = (gateway.la(), gateway.mental());
    let mut child = people::child(4);
    FAMILY.clone_into(&mut child.family_name);
    GIVEN.clone_into(&mut child.given_names);
    let mut message =
        people::request(&la.code, "O-1", &child, &["CAMHS", "PAEDIATRICS"], gateway.today());
    message["subject"]["address"] = json!(format!("1 {STREET} Lane"));
    message["case"] = json!(CASE);
    let reply = la.send("o-1", &message).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
    let record = reply.json()["rows"][0]["record"].as_str().expect("a record").to_owned();

    message["id"] = json!("O-2");
    message["subject"]["date_of_birth"] = json!(format!("{FAMILY} 2015"));
    assert_eq!(la.send("o-2", &message).await.expect("an answer").status, 422);

    let delivery = gateway.inbox(mental).await.remove(0);
    let fetched = mental.get(&format!("/v1/inbox/{delivery}"), None).await.expect("an answer");
    let text = fetched.text();
    assert!(text.contains(FAMILY) && text.contains(GIVEN), "nothing was planted: {text}");
    let mut advice = people::advice(&mental.code, "O-3", &delivery, &child, gateway.today());
    advice["advice"]["summary"] = json!(format!("She is afraid of {WORRY}s."));
    let reply = mental.send("o-3", &advice).await.expect("an answer");
    assert_eq!(reply.status, 201, "{}", reply.text());
    let withdrawal = people::withdrawal(&la.code, "O-4", &child, gateway.today());
    let reply = la.post("/v1/consents", "application/json", "o-4", withdrawal.to_string()).await;
    let reply = reply.expect("an answer");
    assert!(reply.status < 300, "{}", reply.text());
    gateway.cast.wait_until_idle(std::time::Duration::from_secs(20)).await;

    let names = [FAMILY, GIVEN, STREET, CASE, WORRY].map(str::to_owned);
    let nhs_number = child.nhs_number.clone();
    let canaries = names.into_iter().chain([child.nhs_number]).collect();
    Told { canaries, nhs_number, record, delivery }
}

/// A path with the ids of what happened.
fn filled(path: &str, told: &Told, gateway: &TestGateway) -> String {
    let mut path = path
        .replace("{record}", &told.record)
        .replace("{case}", &told.record)
        .replace("{day}", &gateway.today().to_string())
        .replace("{number}", "1")
        .replace("{*tile}", "entries/000.p/9")
        .replace("{seq}", "1");
    // Whatever else has an id is the delivery, or hangs on it.
    while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
        path.replace_range(from..=to, &told.delivery);
    }
    path
}

/// What an outsider may post who wants to know: nothing, and a question about the child. The answer
/// to a question about a number may not say the number again.
fn bodies(told: &Told) -> [serde_json::Value; 2] {
    let asked = json!({ "nhs_number": told.nhs_number, "reason": "routine-check", "proof": true });
    [json!({}), asked]
}

/// The files that are made to be given away.
fn taken_away(gateway: &TestGateway, told: &Told) {
    let out = gateway.folder().join("given-away");
    std::fs::create_dir(&out).expect("a folder");
    let bundle = |name: &str, filter: &[&str]| {
        let file = out.join(name);
        let export = ["audit", "export", "--reason", "tribunal", "--out"];
        ran(gateway, &[&export[..], &[text(&file)], filter].concat(), CASE);
    };
    let today = gateway.today().to_string();
    bundle("whole", &[]);
    bundle("period", &["--from", &today, "--until", &today]);
    bundle("partner", &["--partner", "RRK"]);
    bundle("case", &["--case", &gateway.la().code]);
    let published = out.join("published");
    ran(gateway, &["audit", "publish", "--to", text(&published)], "");
    let (proof, family) = (out.join("proof"), out.join("family"));
    let seen = ["audit", "who-has-seen", "--reason", "family-question"];
    let proved = [&seen[..], &["--proof", text(&proof)]].concat();
    let said = ran(gateway, &proved, &told.nhs_number);
    hunt("who has seen", said.as_bytes(), &told.canaries);
    let said = ran(gateway, &[&seen[..], &["--for-family"]].concat(), &told.nhs_number);
    std::fs::write(&family, said).expect("written");

    let made = files(&out);
    assert!(made.len() >= 8, "files are missing: {made:?}");
    for file in made {
        let bytes = std::fs::read(&file).expect("a file");
        assert!(!bytes.is_empty(), "{} is empty", file.display());
        hunt(&file.display().to_string(), &bytes, &told.canaries);
    }
}

/// What the real binary says.
fn ran(gateway: &TestGateway, arguments: &[&str], input: &str) -> String {
    use std::io::Write as _;
    use std::process::Stdio;

    let mut command = tests::binary::command();
    command.args(arguments).arg("-c").arg(gateway.cast.config_path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    child.stdin.take().expect("an input").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {talk}");
    String::from_utf8(output.stdout).expect("text")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path")
}
