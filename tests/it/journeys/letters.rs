//! A trust that only writes letters: a Kettering letter answers its one open request.

use gateway::practice::people::{self, Child};
use tests::{TestGateway, each_engine, peers};

/// A letter about a child, marked Live or Test.
fn letter(trust: &str, id: &str, status: &str, child: &Child) -> String {
    let born = child.date_of_birth.strftime("%Y%m%d");
    format!(
        "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n\
         <!DOCTYPE ReportMsg SYSTEM \"ReportMsg_EDT_03.dtd\">\n\
         <ReportMsg MsgStatus=\"{status}\"><MsgId>1</MsgId><MsgIssueDate>20260302</MsgIssueDate>\
         <PatientMatchingInfo><PatientId><Id><IdType>Nhs</IdType><IdValue>{}</IdValue></Id>\
         </PatientId><PersonName_s><PersonNameType>CU</PersonNameType><StructPersonName>\
         <FamilyName>{}</FamilyName><GivenName>{}</GivenName></StructPersonName></PersonName_s>\
         <BirthDate>{born}</BirthDate></PatientMatchingInfo><Parties><Party AgentId=\"2\">\
         <HcpName>Dr Sample</HcpName><OrgCode>{trust}</OrgCode></Party></Parties>\
         <ClinicalReport><ReportID>{id}</ReportID><TextItem><TextBlock><![CDATA[<p>Seen and \
         well.</p>]]></TextBlock></TextItem></ClinicalReport></ReportMsg>",
        child.nhs_number, child.family_name, child.given_names
    )
}

/// The same gateway, told what the letters of a trust leave out.
async fn with_constant(gateway: TestGateway, trust: &str) -> TestGateway {
    let path = gateway.folder().join("partners.toml");
    let text = std::fs::read_to_string(&path).expect("partners");
    let mut partners: toml::Table = text.parse().expect("TOML");
    for partner in partners["partner"].as_array_mut().expect("partners") {
        if partner["organisation"].as_str() == Some(trust) {
            let feed = "[constants]\n\"advice.author_profession\" = \"Paediatrician\"";
            let table = partner.as_table_mut().expect("a table");
            table.insert("feed".to_owned(), feed.parse::<toml::Table>().expect("TOML").into());
        }
    }
    std::fs::write(&path, partners.to_string()).expect("written");
    gateway.restart().await
}

#[test]
fn a_letter_answers_the_one_request_about_its_child_and_no_other() {
    each_engine("letters", |gateway| async move {
        let trust = gateway.mental().code.clone();
        let gateway = Box::pin(with_constant(gateway, &trust)).await;
        let leg = gateway.request(1, "CAMHS").await;
        let post = async |key: &str, status: &str, child: u32| {
            let letter = letter(&trust, key, status, &people::child(child));
            let reply = gateway.mental().post("/v1/messages", "application/xml", key, letter).await;
            let reply = reply.expect("an answer");
            (reply.status, reply.json()["issues"][0]["rule"].clone(), reply.text())
        };
        let (status, rule, _) = post("K-test", "Test", 1).await;
        assert_eq!((status, rule), (422, "kettering-test".into()));
        let (status, rule, said) = post("K-other", "Live", 2).await;
        assert_eq!((status, rule), (422, "leg-not-found".into()));
        assert!(!said.contains(&people::child(2).family_name));
        assert!(gateway.inbox(gateway.la()).await.is_empty(), "neither reached the case");
        assert_eq!(gateway.board(gateway.la()).await[0]["state"], "waiting");

        let (status, _, said) = post("K-1", "Live", 1).await;
        assert_eq!(status, 201, "{said}");
        assert_eq!(gateway.board(gateway.la()).await[0]["state"], "answered");
        let path = format!("/v1/inbox/{}", gateway.inbox(gateway.la()).await[0]);
        let answer = gateway.la().get(&path, Some("application/xml")).await.expect("an answer");
        let answer = answer.text();
        assert!(answer.contains(&format!("<leg>{leg}</leg>")), "{answer}");
        peers::must_follow_schema("schemas/xml/message-1.xsd", &answer);
        let document = gateway.la().get(&format!("{path}/documents/1"), None).await;
        assert_eq!(document.expect("an answer").body, b"Seen and well.");
        gateway.end().await;
    });
}
