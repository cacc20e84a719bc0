//! The list as people need it: for a server's configuration, as `nsc` commands, as JSON.

use super::{Act, Names, Permission, Tier, User};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The user as it stands in a server's configuration, with a password to be changed.
#[must_use]
pub fn conf(names: &Names, user: User, tier: Tier) -> String {
    let name = user.name();
    format!(
        "# {}\n{{ user: {name}, password: \"change-me\", {} }}\n",
        heading(user, tier),
        conf_block(&names.permissions(user, tier))
    )
}

/// `permissions { .. }` of a user in a server's configuration.
#[must_use]
pub fn conf_block(list: &[Permission]) -> String {
    let side = |act: Act, word: &str| {
        let own: Vec<&Permission> = list.iter().filter(|permission| permission.act == act).collect();
        let widest = own.iter().map(|permission| permission.subject.len()).max().unwrap_or(0);
        let line = |permission: &&Permission| {
            let subject = format!("\"{}\"", permission.subject.replace('\\', "\\\\").replace('"', "\\\""));
            format!("    {subject:<width$}  # {}\n", permission.capability.purpose(), width = widest + 2)
        };
        format!("  {word} {{ allow: [\n{}  ] }}\n", own.iter().map(line).collect::<String>())
    };
    format!("permissions {{\n{}{}}}", side(Act::Publish, "publish"), side(Act::Subscribe, "subscribe"))
}

/// The commands that make the user, in operator mode.
#[must_use]
pub fn nsc(names: &Names, user: User, tier: Tier) -> String {
    let (account, name) = (user.account(), user.name());
    let mut text = format!("# {}\nnsc add user --account {account} --name {name}", heading(user, tier));
    for permission in names.permissions(user, tier) {
        let flag = match permission.act {
            Act::Publish => "--allow-pub",
            Act::Subscribe => "--allow-sub",
        };
        text.push_str(&format!(" \\\n  {flag} '{}'", permission.subject.replace('\'', "'\\''")));
    }
    text.push_str(&format!("\nnsc generate creds --account {account} --name {name} > {name}.creds\n"));
    text
}

/// Users by name, each with its lists and with what every entry is for.
#[must_use]
pub fn json(names: &Names, users: &BTreeSet<User>, tier: Tier) -> Value {
    let user = |user: &User| {
        let list = names.permissions(*user, tier);
        let side = |act: Act| -> Vec<&str> {
            let own = list.iter().filter(|permission| permission.act == act);
            own.map(|permission| permission.subject.as_str()).collect()
        };
        let reason = |permission: &Permission| {
            json!({
                "act": match permission.act { Act::Publish => "publish", Act::Subscribe => "subscribe" },
                "subject": permission.subject,
                "for": permission.capability.word(),
                "without": permission.capability.without(),
            })
        };
        let reasons: Vec<Value> = list.iter().map(reason).collect();
        let lists = json!({
            "publish": { "allow": side(Act::Publish) },
            "subscribe": { "allow": side(Act::Subscribe) },
            "reasons": reasons,
        });
        (user.key().to_owned(), lists)
    };
    Value::Object(users.iter().map(user).collect::<Map<_, _>>())
}

fn heading(user: User, tier: Tier) -> &'static str {
    match (user, tier) {
        (User::System, _) => "in the system account",
        (User::Alerts, Tier::Creates) => {
            "in the alert account; creates the streams and buckets that are missing"
        }
        (User::Alerts, Tier::Existing) => "in the alert account; uses streams and buckets that exist",
    }
}

impl User {
    const fn key(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Alerts => "alerts",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::System => "gatewatch-system",
            Self::Alerts => "gatewatch-alerts",
        }
    }

    const fn account(self) -> &'static str {
        match self {
            Self::System => "SYS",
            Self::Alerts => "ALERTS",
        }
    }
}
