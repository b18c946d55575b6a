//! A practice world in which one trust is reached through its mailbox.

use std::net::SocketAddr;
use std::sync::Arc;

use adapters::mesh::{Mailbox, Workflows};

use super::super::{GATEWAY, PracticeError, Stage, Trust, free_port, organisation, partners_file};
use super::{Correspondent, MailboxFiles, MailboxPlan, Mailboxes};
use crate::clock::Clock;
use crate::config::Partners;
use crate::queue::CarrierKind;

/// A practice MESH between the gateway of a stage and one of its trusts.
#[derive(Debug)]
pub struct PracticeMesh {
    /// The server.
    pub server: Mailboxes,
    /// The trust's own side.
    pub trust: Correspondent,
    /// The gateway's mailbox.
    pub gateway_mailbox: Mailbox,
    /// The trust's mailbox.
    pub trust_mailbox: Mailbox,
    /// Its certificates and secrets.
    pub files: MailboxFiles,
}

impl Stage {
    /// Gives the gateway a mailbox, has a trust be reached through its own, and opens the server.
    /// Call it before the gateway rises. `clock` is the time of the server and of the trust.
    pub async fn open_mesh(
        &self,
        trust: Trust,
        clock: Arc<dyn Clock>,
    ) -> Result<PracticeMesh, PracticeError> {
        let (gateway, code) = (organisation(GATEWAY)?, organisation(trust.code())?);
        let dir = self.plan.dir.join("mesh");
        let owners = [("gateway", gateway.clone()), ("trust", code.clone())];
        let files = MailboxFiles::mint(&dir, &owners, clock.now())?;
        let [ours, theirs] = [mailbox("X26ABC1")?, mailbox("X26ABC2")?];
        let address = free_port(&mut Vec::new())?;
        self.join(&files, address, (&ours, &theirs), trust)?;
        let mut allowed = Vec::new();
        for (_, id) in Workflows::placeholders().rows() {
            for id in [id.clone(), id.receipt()] {
                allowed.push((ours.clone(), theirs.clone(), id.clone()));
                allowed.push((theirs.clone(), ours.clone(), id));
            }
        }
        let plan = MailboxPlan {
            address,
            mailboxes: vec![(ours.clone(), gateway), (theirs.clone(), code)],
            allowed,
            clock: Arc::clone(&clock),
            request_bytes_max: 100_000_000,
            page: 500,
        };
        let server = Mailboxes::open(&files, plan).await?;
        let exchange = files.exchange(("trust", &theirs), address, clock, |_| {});
        let exchange = exchange.map_err(|error| PracticeError::Mesh(Box::new(error)))?;
        let trust = Correspondent::new(exchange, ours.clone());
        Ok(PracticeMesh { server, trust, gateway_mailbox: ours, trust_mailbox: theirs, files })
    }

    /// Writes the gateway's `[mesh]` section, and the trust's carrier and mailbox.
    fn join(
        &self,
        files: &MailboxFiles,
        address: SocketAddr,
        (ours, theirs): (&Mailbox, &Mailbox),
        trust: Trust,
    ) -> Result<(), PracticeError> {
        let file = |error| PracticeError::File(self.config.clone(), error);
        let text = std::fs::read_to_string(&self.config).map_err(file)?;
        let section = files.settings("gateway", ours, address);
        super::super::write(&self.config, &format!("{text}\n[mesh]\n{section}"))?;
        let path = self.plan.dir.join("partners.toml");
        let known = Partners::load(&path)?;
        let partners = known.iter().cloned().map(|mut partner| {
            if partner.organisation.as_str() == trust.code() {
                partner.carrier = CarrierKind::Mesh;
                partner.mailbox = Some(theirs.clone());
                partner.endpoint = None;
                partner.server_pins.clear();
            }
            partner
        });
        super::super::write(&path, &partners_file(partners.collect())?)
    }
}

fn mailbox(id: &'static str) -> Result<Mailbox, PracticeError> {
    Mailbox::parse(id).ok_or(PracticeError::Code(id))
}
