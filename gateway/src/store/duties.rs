//! Who does what the gateways do by themselves, so that several of them do it once.

use jiff::Timestamp;

use super::Store;
use super::engine::statements;
use super::error::StoreError;
use super::value::values;

impl Store {
    /// Takes a duty on for a period until `until`, unless it was done or another gateway is at it.
    /// Bookkeeping: what the duty does is audited by what it does.
    pub async fn claim_duty(
        &self,
        name: &'static str,
        period: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.engine.begin().await?;
        let claimed = tx.execute(&CLAIM_DUTY, values![name, period, now, until]).await?;
        tx.commit().await?;
        Ok(claimed == 1)
    }
}

statements! {
    CLAIM_DUTY = "duties::claim_duty" on "duties":
        "insert into duties (name, period, claimed_until) values ($1, $2, $4)
        on conflict (name, period) do update set claimed_until = excluded.claimed_until
        where duties.done_at is null and duties.claimed_until <= $3";
}
