//! Everybody in one account: what a test shows to work then, the accounts prevent.

use bus_schema::account;

use super::Deployment;

impl Deployment {
    /// A deployment whose server is provisioned and runs, with everybody in one account: only what readers check themselves keeps one from the others.
    pub async fn provisioned_in_one_account() -> Self {
        let deployment = Self::new();
        deployment.in_one_account();
        deployment.nats().start().await;
        deployment.provision().await;
        deployment
    }

    /// The same with everything running.
    pub async fn running_in_one_account() -> Self {
        let deployment = Self::provisioned_in_one_account().await;
        deployment.start_all().await;
        deployment
    }

    /// Puts everybody into one account, from the server's next start on, with the rights that they have: what a test
    /// shows to work then, the accounts prevent.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn in_one_account(&self) {
        self.write_accounts(&account::one_account_conf(account::rights_in_one_account));
    }

    /// The same, and takes every restriction off the users: what a test shows to work then, accounts or permissions
    /// prevent.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn without_permissions(&self) {
        let all = || vec![">".to_owned()];
        self.write_accounts(&account::one_account_conf(|_| (all(), all())));
    }

    fn write_accounts(&self, text: &str) {
        std::fs::write(self.dir.nats().join("accounts.conf"), text).unwrap();
    }
}
