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
        self.in_one(|user| {
            // As they name it, and as it is mapped below.
            let mapped = user
                .publish
                .iter()
                .map(|one| one.replace(account::API, account::OWN_API));
            let publish: Vec<_> = user.publish.iter().cloned().chain(mapped).collect();
            (format!("{publish:?}"), format!("{:?}", user.subscribe))
        });
    }

    /// The same, and takes every restriction off the users: what a test shows to work then, accounts or permissions
    /// prevent.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn without_permissions(&self) {
        self.in_one(|_| ("[\">\"]".to_owned(), "[\">\"]".to_owned()));
    }

    fn in_one(&self, rights: impl Fn(&account::User) -> (String, String)) {
        let mut text = String::from(
            "include \"local.conf\"\naccounts {\n  BUS {\n    jetstream { max_file: 26GB }\n    users: [\n",
        );
        for user in account::users() {
            let (publish, subscribe) = rights(&user);
            // One subject is refused to all, by which `Client::refused` sees that everything was judged.
            text.push_str(&format!(
                "      {{ nkey: ${}, permissions: {{ publish: {{ allow: {publish}, deny: [\"refused.>\"] }}, \
                 subscribe: {{ allow: {subscribe} }} }} }}\n",
                account::nkey_variable(user.name)
            ));
        }
        // Who is in the account of the streams asks there.
        text.push_str(&format!(
            "    ]\n    mappings: {{ \"{}.>\": \"$JS.API.>\" }}\n  }}\n  SYS {{}}\n}}\n",
            account::API
        ));
        std::fs::write(self.dir.nats().join("accounts.conf"), text).unwrap();
    }
}
