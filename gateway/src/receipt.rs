//! Receipts: signed proof of what was handed in and what became of it.
//!
//! Owns the claims and the form of everything the gateway signs for partners, a compact JWS (RFC 7515) with Ed25519 (RFC 8037). It must never
//! know content: rows are told by position, issues by rule and position, records by our own ids.
//!
//! ```
//! # use gateway::receipt::{Receipt, ReceiptSigner, verify};
//! # fn prove(signer: &ReceiptSigner, receipt: &Receipt) {
//! let jws = signer.sign(receipt).unwrap();
//! assert_eq!(verify(&jws, &signer.public_jwk()).unwrap(), *receipt);
//! # }
//! ```
//!
//! Limits: one algorithm, one type; anything else in the header is refused, `none` included.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use schemas::{Issue, LegId, MessageType, OrganisationCode, Place, RecordId, ServiceCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::audit::signing::{self, SigningKey, SigningKeyError};
use crate::queue::{DeliveryId, SubmissionId};

pub mod proof;

pub use proof::LogProof;

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The gateway, by the origin of its log.
    pub iss: String,
    /// The submission.
    pub sub: SubmissionId,
    /// When it was signed, in seconds since 1970 UTC.
    pub iat: i64,
    /// When the submission was received.
    pub received_at: Timestamp,
    /// SHA-256 of the submission's bytes, in hexadecimal.
    pub body_sha256: String,
    /// What became of each row or message.
    pub rows: Vec<RowOutcome>,
    /// Where its entry stands in the log, with the proof. Not in receipts of before there was one,
    /// nor while the entry has no place yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub log: Option<LogProof>,
}

/// What became of one row or message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowOutcome {
    /// Where it stands in what was sent.
    pub place: Place,
    /// What became of it.
    pub outcome: RowResult,
    /// The record it became.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub record: Option<RecordId>,
    /// The services it was addressed to, each with what becomes of it there.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub legs: Vec<LegOutcome>,
    /// What this organisation's records had disclosed about the person before agreement to share
    /// was withdrawn. It is not called back.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub disclosures: Vec<Disclosure>,
    /// What was found: rules and positions.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub issues: Vec<Issue>,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowResult {
    /// It is a record, sealed and stored.
    Accepted,
    /// It is kept sealed, with what is wrong with it.
    Quarantined,
    /// It was not taken.
    Refused,
    /// It was accepted before; nothing new was done.
    Unchanged,
}

/// What had gone to a recipient about a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The record.
    pub record: RecordId,
    /// What kind of message.
    pub message_type: MessageType,
    /// Who has it.
    pub recipient: OrganisationCode,
    /// When it first left.
    pub at: Timestamp,
    /// The authority it left under, for example `consent` or `statute`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub authority: Option<String>,
    /// Whether it arrived as far as is known; otherwise it may have.
    pub arrived: bool,
    /// Whether the recipient is told of the withdrawal: it is, when it rested on agreement.
    pub told: bool,
}

/// What becomes of one leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegOutcome {
    /// The leg: what an answer will refer to.
    pub leg: LegId,
    /// The service asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub service: Option<ServiceCode>,
    /// The organisation that has the service.
    pub recipient: OrganisationCode,
    /// What was decided about sending it there: `release`, `release-reduced`, `hold`, `refuse`.
    pub outcome: String,
    /// Why, in plain words.
    pub reason: String,
    /// The statutory date for the answer, for requests.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub due_on: Option<jiff::civil::Date>,
}

/// Why a receipt was not made or not believed.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The text is not a receipt.
    #[error("not what this gateway signs (compact JWS, EdDSA, of the type asked for)")]
    Form,
    /// The key is not an Ed25519 public key in JWK.
    #[error("not an Ed25519 public key (JWK, OKP)")]
    Key,
    /// It is not signed by the key, or was changed after signing.
    #[error("not signed by this key, or changed since")]
    Signature,
}

/// What the gateway signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// A [`Receipt`].
    Receipt,
    /// A [`Notice`](crate::notices::Notice): something was superseded or recalled.
    Notice,
    /// A [`Statement`](crate::reconciliation::Statement): what passed on a day.
    Statement,
    /// A [`Certificate`](crate::retention::certificate::Certificate): what was removed, and why.
    Deletion,
}

impl Signed {
    /// The `typ` of the JWS header (RFC 7515, section 4.1.9).
    pub fn typ(self) -> &'static str {
        match self {
            Self::Receipt => "ehc-receipt+jwt",
            Self::Notice => "ehc-notice+jwt",
            Self::Statement => "ehc-reconciliation+jwt",
            Self::Deletion => "ehc-deletion+jwt",
        }
    }
}

/// Signs receipts.
#[derive(Debug, Clone)]
pub struct ReceiptSigner {
    key: Arc<SigningKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

impl ReceiptSigner {
    /// Signs with a key that something else may use too, such as the log.
    pub fn new(key: Arc<SigningKey>) -> Self {
        Self { key }
    }

    /// Signs with a key file of its own.
    pub fn load(path: &Path) -> Result<Self, SigningKeyError> {
        SigningKey::load(path).map(Arc::new).map(Self::new)
    }

    /// Signs a receipt.
    pub fn sign(&self, receipt: &Receipt) -> Result<String, ReceiptError> {
        self.sign_as(Signed::Receipt, receipt)
    }

    /// Signs something else that the gateway says, under a type of its own so that nothing passes
    /// for what it is not. The same claims always give the same text.
    pub fn sign_as(&self, what: Signed, claims: &impl Serialize) -> Result<String, ReceiptError> {
        let kid = key_id(&self.key.public());
        let header = Header { alg: ALG.to_owned(), typ: what.typ().to_owned(), kid };
        let encode = |json: Vec<u8>| BASE64_URL_SAFE_NO_PAD.encode(json);
        let header = serde_json::to_vec(&header).map(encode).or(Err(ReceiptError::Form))?;
        let claims = serde_json::to_vec(claims).map(encode).or(Err(ReceiptError::Form))?;
        let signed = format!("{header}.{claims}");
        let signature = encode(self.key.sign(signed.as_bytes()));
        Ok(format!("{signed}.{signature}"))
    }

    /// The public key, to publish.
    pub fn public_jwk(&self) -> Value {
        let public = self.key.public();
        json!({
            "kty": "OKP", "crv": "Ed25519", "x": BASE64_URL_SAFE_NO_PAD.encode(public),
            "kid": key_id(&public), "alg": ALG, "use": "sig",
        })
    }
}

/// Reads a receipt and checks that the owner of the key signed it.
pub fn verify(jws: &str, jwk: &Value) -> Result<Receipt, ReceiptError> {
    verify_as(Signed::Receipt, jws, jwk)
}

/// Reads something else that the gateway signed, and checks that it is of this type and that the
/// owner of the key signed it.
pub fn verify_as<T: DeserializeOwned>(
    what: Signed,
    jws: &str,
    jwk: &Value,
) -> Result<T, ReceiptError> {
    let public = public_key(jwk).ok_or(ReceiptError::Key)?;
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).or(Err(ReceiptError::Form));
    let (signed, signature) = jws.rsplit_once('.').ok_or(ReceiptError::Form)?;
    let (header, claims) = signed.split_once('.').ok_or(ReceiptError::Form)?;
    let header: Header = serde_json::from_slice(&decode(header)?).or(Err(ReceiptError::Form))?;
    if header.alg != ALG || header.typ != what.typ() {
        return Err(ReceiptError::Form);
    }
    if header.kid != key_id(&public)
        || !signing::verify(&public, signed.as_bytes(), &decode(signature)?)
    {
        return Err(ReceiptError::Signature);
    }
    serde_json::from_slice(&decode(claims)?).or(Err(ReceiptError::Form))
}

/// The public key of a log's verifier key (name+id+key), as a JWK: the same key signs both.
pub fn jwk_of_vkey(vkey: &str) -> Option<Value> {
    let key = vkey.splitn(3, '+').nth(2)?;
    let key = base64::prelude::BASE64_STANDARD.decode(key).ok()?;
    // The first byte names the algorithm: 1 is Ed25519.
    let public = key.strip_prefix(&[1])?;
    Some(json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64_URL_SAFE_NO_PAD.encode(public) }))
}

fn public_key(jwk: &Value) -> Option<[u8; 32]> {
    let member = |name| jwk.get(name).and_then(Value::as_str);
    let known = member("kty") == Some("OKP") && member("crv") == Some("Ed25519");
    let key = BASE64_URL_SAFE_NO_PAD.decode(member("x").filter(|_| known)?).ok()?;
    key.try_into().ok()
}

/// The key's thumbprint (RFC 7638, RFC 8037 appendix A.3).
fn key_id(public: &[u8; 32]) -> String {
    let x = BASE64_URL_SAFE_NO_PAD.encode(public);
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    BASE64_URL_SAFE_NO_PAD.encode(crate::entropy::sha256(members.as_bytes()))
}

const ALG: &str = "EdDSA";

#[cfg(test)]
mod tests;
