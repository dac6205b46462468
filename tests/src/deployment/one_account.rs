//! All identities in one account: an attack that works only then is prevented by the accounts.

use bus_schema::account;

use super::Deployment;

impl Deployment {
    /// A deployment with a provisioned server and all identities in one account: only the checks of readers remain.
    pub async fn provisioned_in_one_account() -> Self {
        let deployment = Self::new();
        deployment.in_one_account();
        deployment.nats().start().await;
        deployment.provision().await;
        deployment
    }

    /// The same with every service running.
    pub async fn running_in_one_account() -> Self {
        let deployment = Self::provisioned_in_one_account().await;
        deployment.start_all().await;
        deployment
    }

    /// Puts all identities into one account from the server's next start on, with their permissions: an attack that
    /// works only then is prevented by the accounts.
    ///
    /// # Panics
    /// Panics if the file cannot be written.
    pub fn in_one_account(&self) {
        self.write_accounts(&account::one_account_conf(account::rights_in_one_account));
    }

    /// The same without permissions: an attack that works only then is prevented by accounts or permissions.
    ///
    /// # Panics
    /// Panics if the file cannot be written.
    pub fn without_permissions(&self) {
        let all = || vec![">".to_owned()];
        self.write_accounts(&account::one_account_conf(|_| (all(), all())));
    }

    fn write_accounts(&self, text: &str) {
        std::fs::write(self.dir.nats().join("accounts.conf"), text).unwrap();
    }
}
