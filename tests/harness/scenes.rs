//! What more than one story does: what the operator is told, a day that comes, something held,
//! something that rests on agreement.

use gateway::clock::{Clock as _, london_date};
use gateway::practice::client::Partner;
use gateway::practice::people;
use jiff::SignedDuration;
use jiff::civil::Date;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::TestGateway;

/// A member that must be text.
pub fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

impl TestGateway {
    /// What the operator's listener answers at a path, head and all.
    pub async fn operator_page(&self, path: &str) -> String {
        let address = self.cast.admin_address();
        let mut connection = TcpStream::connect(address).await.expect("the operator's listener");
        let question = format!("GET {path} HTTP/1.0\r\n\r\n");
        connection.write_all(question.as_bytes()).await.expect("a question");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.expect("an answer");
        answer
    }

    /// The metrics as they are scraped: reading them is what brings them up to date.
    pub async fn metrics(&self) -> String {
        self.operator_page("/metrics").await
    }

    /// Moves the clock on to a day that has not passed.
    pub fn move_to(&self, day: Date) {
        let days = (day - self.today()).get_days();
        assert!(days >= 0, "{day} has passed");
        let hours = 24 * i64::from(days);
        // The clocks may have gone forward on the way: in the last hour of a day that is a day more.
        let there = self.clock.now() + SignedDuration::from_hours(hours);
        let early = i64::from(london_date(there) > day);
        self.clock.advance(SignedDuration::from_hours(hours - early));
        // Or they may have gone back.
        while self.today() < day {
            self.clock.advance(SignedDuration::from_hours(1));
        }
        assert_eq!(self.today(), day);
    }

    /// A request for advice from the mental health trust that the family's refusal meets, so that it
    /// is held; gives its record and its leg.
    pub async fn held(&self, number: u32) -> (String, String) {
        let la = self.la();
        let id = format!("H-{number}");
        let mut message =
            people::request(&la.code, &id, &people::child(number), &["CAMHS"], self.today());
        message["consent"] = json!({
            "status": "refused", "given_by": "parent", "date": self.today().to_string(),
        });
        let reply = la.send(&id, &message).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        let row = &reply.json()["rows"][0];
        assert_eq!(row["legs"][0]["outcome"], "hold", "{row}");
        (text(&row["record"]), text(&row["legs"][0]["leg"]))
    }

    /// A transition plan that rests on agreement, from the mental health trust to somebody.
    pub fn plan(&self, id: &str, to: &Partner, subject: &Value) -> Value {
        let today = self.today().to_string();
        json!({
            "type": "transition.health_plan", "id": id, "sender": self.mental().code,
            "recipient": to.code, "case": format!("EHC-{id}"), "subject": subject,
            "consent": { "status": "given", "given_by": "parent", "date": today },
            "transition": {
                "named_worker": "Pat Practice-Worker", "plan_date": today,
                "actions": ["A made-up action"],
            },
        })
    }
}
