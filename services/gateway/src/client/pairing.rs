//! The client of a pairing: announces it with the owner's key, and reads what became of it.

use bus_schema::{PairingId, PairingStatement, Signed, Statement, Time};

use super::{Client, Error};
use crate::api::{AnnouncePairing, PairingShown};

impl Client {
    /// Signs the announcement of a pairing that is open until `until`, and submits it; a moment in the past ends it.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn announce(&self, pairing: PairingId, until: Time) -> Result<PairingShown, Error> {
        let said = Statement::Pairing(PairingStatement {
            deployment: self.deployment,
            pairing,
            until,
        });
        let signed = Signed::new(&said, &self.key);
        self.post("/v1/pairings", &AnnouncePairing { signed }).await
    }

    /// Reads the state of a pairing.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn pairing(&self, pairing: PairingId) -> Result<PairingShown, Error> {
        self.json(self.get(&format!("/v1/pairings/{pairing}")))
            .await
    }
}
