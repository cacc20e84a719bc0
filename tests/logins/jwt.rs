//! Operator mode made by hand: an operator, a system account, an account for alerts, and users of both.

#![allow(dead_code, reason = "each user has its own part of it")]

use data_encoding::BASE64URL_NOPAD;
use gatewatch::wire::permission::{Act, Permission};
use nkeys::KeyPair;
use serde_json::{Map, Value, json};

/// When everything was issued, in seconds of Unix time.
const ISSUED: u64 = 1_700_000_000;

/// An operator with its two accounts.
pub(crate) struct Operator {
    key: KeyPair,
    pub(crate) system: Account,
    pub(crate) alerts: Account,
}

/// An account: what the operator says of it, and who of its users may no longer log in.
pub(crate) struct Account {
    key: KeyPair,
    name: &'static str,
    jetstream: i64,
    revoked: Map<String, Value>,
}

/// A user of an account.
pub(crate) struct User {
    key: KeyPair,
    jwt: String,
}

impl Operator {
    pub(crate) fn new() -> Self {
        let account =
            |name, jetstream| Account { key: KeyPair::new_account(), name, jetstream, revoked: Map::new() };
        Self { key: KeyPair::new_operator(), system: account("SYS", 0), alerts: account("ALERTS", -1) }
    }

    /// What a server's configuration says to be run by this operator.
    pub(crate) fn config(&self) -> String {
        let claims = json!({ "type": "operator", "version": 2, "system_account": self.system.id() });
        format!(
            "operator: \"{}\"\nsystem_account: {}\nresolver: MEMORY\nresolver_preload {{\n  {}: \"{}\"\n  {}: \"{}\"\n}}\n",
            token(&self.key, &self.key.public_key(), "operator", &claims),
            self.system.id(),
            self.system.id(),
            self.of(&self.system),
            self.alerts.id(),
            self.of(&self.alerts),
        )
    }

    /// The token of an account as it stands now.
    pub(crate) fn of(&self, account: &Account) -> String {
        let storage = account.jetstream;
        let claims = json!({
            "limits": {
                "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1,
                "leaf": -1, "mem_storage": storage, "disk_storage": storage, "streams": storage, "consumer": storage,
            },
            "revocations": account.revoked,
            "default_permissions": { "pub": {}, "sub": {} },
            "type": "account",
            "version": 2,
        });
        token(&self.key, &account.id(), account.name, &claims)
    }
}

impl Account {
    pub(crate) fn id(&self) -> String {
        self.key.public_key()
    }

    /// A user that may do everything.
    pub(crate) fn user(&self) -> User {
        self.user_with(&json!({}), &json!({}))
    }

    /// A user that may do exactly this.
    pub(crate) fn user_that_may(&self, list: &[Permission]) -> User {
        let side = |act: Act| {
            let own = list.iter().filter(|permission| permission.act == act);
            json!({ "allow": own.map(|permission| permission.subject.as_str()).collect::<Vec<_>>() })
        };
        self.user_with(&side(Act::Publish), &side(Act::Subscribe))
    }

    fn user_with(&self, publish: &Value, subscribe: &Value) -> User {
        let key = KeyPair::new_user();
        let claims = json!({
            "pub": publish, "sub": subscribe, "subs": -1, "data": -1, "payload": -1, "type": "user", "version": 2,
        });
        let jwt = token(&self.key, &key.public_key(), "user", &claims);
        User { key, jwt }
    }

    /// From the next token of this account on, this user is sent away and let in no more.
    pub(crate) fn revoke(&mut self, user: &User) {
        self.revoked.insert(user.id(), json!(ISSUED + 1));
    }
}

impl User {
    pub(crate) fn id(&self) -> String {
        self.key.public_key()
    }

    /// The text of a credentials file.
    pub(crate) fn creds(&self) -> String {
        format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n{}\n\
             ------END USER NKEY SEED------\n",
            self.jwt,
            self.key.seed().unwrap()
        )
    }
}

fn token(issuer: &KeyPair, subject: &str, name: &str, claims: &Value) -> String {
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let body = json!({
        "jti": name, "iat": ISSUED, "iss": issuer.public_key(), "name": name, "sub": subject, "nats": claims,
    });
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&header), part(&body));
    let signature = issuer.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}
