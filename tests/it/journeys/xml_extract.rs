//! The nightly extract as XML: record by record, like rows, and the answer names places.

use gateway::practice::people;
use tests::{TestGateway, each_engine};

fn record(gateway: &TestGateway, number: u32, nhs_number: &str) -> String {
    let child = people::child(number);
    format!(
        "<ADVICE_REQUEST><ADVICE_REQUEST_ID>X-{number}</ADVICE_REQUEST_ID>\
         <EHCP_EPISODE_ID>EP-{number}</EHCP_EPISODE_ID>\n\
         <DIM_PERSON_ID>{}</DIM_PERSON_ID><NHS_NUMBER>{nhs_number}</NHS_NUMBER>\
         <SURNAME>{}</SURNAME><FORENAME>{}</FORENAME><BIRTH_DTTM>{}T00:00:00</BIRTH_DTTM>\
         <ADVICE_REQUEST_DTTM>{}</ADVICE_REQUEST_DTTM>\
         <SERVICES_REQUESTED>SALT;CAMHS</SERVICES_REQUESTED></ADVICE_REQUEST>\n",
        child.la_person_id,
        child.family_name,
        child.given_names,
        child.date_of_birth,
        gateway.today()
    )
}

#[test]
fn a_bad_record_is_quarantined_and_the_others_go() {
    each_engine("xml_extract", |gateway| async move {
        let partners = gateway.folder().join("partners.toml");
        let text = std::fs::read_to_string(&partners).expect("partners");
        let text = text.replace("liquidlogic-ehc-advice", "liquidlogic-xml-advice");
        std::fs::write(&partners, text).expect("written");
        let gateway = gateway.restart().await;
        let good = record(&gateway, 1, &people::nhs_number(1));
        let bad = record(&gateway, 2, "9991234560");
        let extract = format!("<ADVICE_REQUESTS>\n{good}{bad}</ADVICE_REQUESTS>\n");
        let post = async |key: &str, body: String| {
            let reply = gateway.la().post("/v1/messages", "application/xml", key, body).await;
            reply.expect("an answer")
        };
        let reply = post("x-1", extract).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        let rows = reply.json()["rows"].clone();
        assert_eq!(rows[0]["outcome"], "accepted");
        assert_eq!(rows[0]["legs"].as_array().expect("legs").len(), 2);
        assert_eq!(rows[1]["outcome"], "quarantined");
        let issue = &rows[1]["issues"][0];
        assert_eq!(issue["rule"], "identifier-check-digit");
        assert_eq!(issue["place"]["text"]["line"], 5);
        assert!(!reply.text().contains("9991234560"), "the value must not come back");
        assert_eq!(gateway.board(gateway.la()).await.len(), 2);

        let nothing = post("x-2", "<ADVICE_REQUESTS/>".to_owned()).await;
        assert_eq!(nothing.status, 201, "an empty extract says that there is nothing");
        let stranger = post("x-3", "<SOMETHING/>".to_owned()).await;
        assert_eq!(stranger.status, 400);
        assert_eq!(stranger.json()["issues"][0]["rule"], "xml-root-unknown");
        gateway.end().await;
    });
}
