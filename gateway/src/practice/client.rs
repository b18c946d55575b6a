//! A partner's own side of the connection, for the demo, the benchmark and the tests.

use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;
use serde_json::Value;

/// A partner that speaks to the gateway over mutual TLS.
#[derive(Debug, Clone)]
pub struct Partner {
    /// Its organisation code.
    pub code: String,
    base: String,
    client: Client,
    /// The purpose that it says with whatever it looks at.
    purpose: Option<String>,
}

/// What the gateway answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The media type, without parameters.
    pub media_type: String,
    /// The body.
    pub body: Vec<u8>,
    /// The place in the log, where the answer names one.
    pub log_entry: Option<u64>,
    /// Whether this answer was given before.
    pub replayed: bool,
    headers: reqwest::header::HeaderMap,
}

impl Reply {
    /// The body as JSON; `null` when it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A header, if the answer has it.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Partner {
    /// A partner that connects with a TLS configuration of its own.
    pub fn new(code: &str, base: String, tls: impl std::any::Any) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .no_proxy()
            .timeout(Duration::from_mins(1))
            .build()?;
        Ok(Self { code: code.to_owned(), base, client, purpose: None })
    }

    /// The same partner, who says this purpose with whatever it looks at.
    #[must_use]
    pub fn for_purpose(&self, purpose: &str) -> Self {
        Self { purpose: Some(purpose.to_owned()), ..self.clone() }
    }

    /// Fetches a path, with an `Accept` header when one is given.
    pub async fn get(&self, path: &str, accept: Option<&str>) -> Result<Reply, reqwest::Error> {
        let mut request = self
            .client
            .get(format!("{}{path}", self.base))
            .header("ehc-acting-user", "officer-1")
            .header("ehc-acting-role", "SEND officer");
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        if let Some(purpose) = &self.purpose {
            request = request.header("ehc-purpose", purpose);
        }
        reply(request.send().await?).await
    }

    /// Posts a body under an idempotency key.
    pub async fn post(
        &self,
        path: &str,
        media_type: &str,
        key: &str,
        body: impl Into<Vec<u8>>,
    ) -> Result<Reply, reqwest::Error> {
        self.post_as("officer-1", path, media_type, key, body).await
    }

    /// Posts a body that was made on what the caller has seen: the tag of an earlier answer.
    pub async fn post_if(
        &self,
        tag: &str,
        path: &str,
        key: &str,
        body: impl Into<Vec<u8>>,
    ) -> Result<Reply, reqwest::Error> {
        let request = self
            .client
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .header("if-match", tag)
            .header("ehc-acting-user", "officer-1")
            .body(body.into());
        reply(request.send().await?).await
    }

    /// Posts a body under an idempotency key, for a named person.
    pub async fn post_as(
        &self,
        person: &str,
        path: &str,
        media_type: &str,
        key: &str,
        body: impl Into<Vec<u8>>,
    ) -> Result<Reply, reqwest::Error> {
        let mut request = self
            .client
            .post(format!("{}{path}", self.base))
            .header("content-type", media_type)
            .header("idempotency-key", key)
            .header("ehc-acting-user", person)
            .header("ehc-acting-role", "SEND officer")
            .body(body.into());
        if let Some(purpose) = &self.purpose {
            request = request.header("ehc-purpose", purpose);
        }
        reply(request.send().await?).await
    }

    /// Posts a FHIR message, with headers of the caller's choice.
    pub async fn process_message(
        &self,
        media_type: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Result<Reply, reqwest::Error> {
        let mut request = self
            .client
            .post(format!("{}/fhir/$process-message", self.base))
            .header("content-type", media_type)
            .body(body.into());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        reply(request.send().await?).await
    }

    /// Sends the next bytes of a document, from an offset on.
    pub async fn append(
        &self,
        document: &str,
        offset: u64,
        bytes: impl Into<reqwest::Body>,
    ) -> Result<Reply, reqwest::Error> {
        let path = format!("{}/v1/documents/{document}/content", self.base);
        let request = self.client.post(path).header("upload-offset", offset).body(bytes.into());
        reply(request.send().await?).await
    }

    /// Fetches a range of a path; the answer while its body is still to come.
    pub async fn get_range(
        &self,
        path: &str,
        range: &str,
    ) -> Result<reqwest::Response, reqwest::Error> {
        self.client.get(format!("{}{path}", self.base)).header("range", range).send().await
    }

    /// Posts JSON to the message route under an idempotency key.
    pub async fn send(&self, key: &str, message: &Value) -> Result<Reply, reqwest::Error> {
        self.post("/v1/messages", "application/json", key, message.to_string()).await
    }
}

async fn reply(response: reqwest::Response) -> Result<Reply, reqwest::Error> {
    let header = |name: &str| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let media_type = header("content-type").unwrap_or_default();
    Ok(Reply {
        status: response.status().as_u16(),
        media_type: media_type.split(';').next().unwrap_or_default().trim().to_owned(),
        log_entry: header("ehc-log-entry").and_then(|text| text.parse().ok()),
        replayed: header("idempotency-replayed").is_some(),
        headers: response.headers().clone(),
        body: response.bytes().await?.to_vec(),
    })
}
