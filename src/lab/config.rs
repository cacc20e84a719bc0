//! The configuration file of one server, as text.

use super::binary::ServerBinary;
use super::ports::loopback;
use crate::model::ids::{ClusterName, ServerKey};
use async_nats::ConnectOptions;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// User name and password of one account.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// How the lab's own clients connect to servers whose accounts the configuration text describes.
#[derive(Debug, Clone)]
pub(super) struct Logins {
    pub(super) system: ConnectOptions,
    pub(super) app: ConnectOptions,
}

/// What differs from the lab's defaults for one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerOptions {
    /// Program to run instead of the lab's.
    pub binary: Option<ServerBinary>,
    /// Text appended to the configuration file, at top level. A key that is already set is overridden.
    pub config: String,
    /// Text put inside the `gateway { }` block, for instance `reject_unknown_cluster: true`.
    pub gateway_config: String,
    /// Clusters in the gateway's list of remotes; `None` lists every other cluster.
    pub remotes: Option<Vec<ClusterName>>,
}

/// The ports of one server, all on loopback.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerPorts {
    pub(super) client: u16,
    pub(super) route: u16,
    pub(super) gateway: u16,
}

/// What every server of a lab has in common.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) system: Credentials,
    pub(super) app: Credentials,
    /// In place of these two, when the accounts are described by `config`.
    pub(super) logins: Option<Logins>,
    pub(super) jetstream: bool,
    /// Top-level text for every server, before the server's own.
    pub(super) config: String,
}

/// Everything that goes into the file of one server.
pub(super) struct ServerConfig<'a> {
    pub(super) key: &'a ServerKey,
    pub(super) ports: ServerPorts,
    pub(super) advertise: SocketAddr,
    /// Route ports of all servers of its cluster, itself included: JetStream wants a route also in a cluster of one,
    /// and a server skips the route to itself.
    pub(super) routes: &'a [u16],
    /// Other clusters, each with the addresses at which its gateways are reached.
    pub(super) remotes: &'a [(ClusterName, Vec<SocketAddr>)],
    pub(super) store: PathBuf,
    pub(super) common: &'a Common,
    pub(super) options: &'a ServerOptions,
}

impl Common {
    /// How a client of the system account connects.
    pub(super) fn as_system(&self) -> ConnectOptions {
        self.logins.as_ref().map_or_else(|| with_password(&self.system), |logins| logins.system.clone())
    }

    /// How a client of the account with JetStream connects.
    pub(super) fn as_app(&self) -> ConnectOptions {
        self.logins.as_ref().map_or_else(|| with_password(&self.app), |logins| logins.app.clone())
    }
}

fn with_password(who: &Credentials) -> ConnectOptions {
    ConnectOptions::with_user_and_password(who.user.clone(), who.password.clone())
}

impl ServerConfig<'_> {
    /// The text of the file.
    pub(super) fn render(&self) -> String {
        let common = self.common;
        [
            format!("server_name: {}\n", quoted(self.key.name.as_str())),
            format!("listen: {:?}\n", loopback(self.ports.client).to_string()),
            // A lame duck otherwise waits 10 s before it closes the first client.
            "lame_duck_grace_period: \"100ms\"\n".to_owned(),
            if common.jetstream { jetstream(&self.store) } else { String::new() },
            if common.logins.is_none() { accounts(common) } else { String::new() },
            self.cluster(),
            self.gateway(),
            common.config.clone(),
            "\n".to_owned(),
            self.options.config.clone(),
            "\n".to_owned(),
        ]
        .concat()
    }

    fn cluster(&self) -> String {
        let routes: Vec<String> =
            self.routes.iter().map(|port| format!("\"nats-route://{}\"", loopback(*port))).collect();
        format!(
            "cluster {{\n  name: {}\n  listen: {:?}\n  routes: [{}]\n}}\n",
            quoted(self.key.cluster.as_str()),
            loopback(self.ports.route).to_string(),
            routes.join(", "),
        )
    }

    fn gateway(&self) -> String {
        let mut text = format!(
            "gateway {{\n  name: {}\n  listen: {:?}\n  advertise: {:?}\n  gateways: [\n",
            quoted(self.key.cluster.as_str()),
            loopback(self.ports.gateway).to_string(),
            self.advertise.to_string(),
        );
        for (cluster, addresses) in self.remotes {
            if self.options.remotes.as_ref().is_none_or(|wanted| wanted.contains(cluster)) {
                let urls: Vec<String> = addresses.iter().map(|at| format!("\"nats://{at}\"")).collect();
                // Writing to a String cannot fail.
                let _ = writeln!(
                    text,
                    "    {{ name: {}, urls: [{}] }}",
                    quoted(cluster.as_str()),
                    urls.join(", ")
                );
            }
        }
        let _ = writeln!(text, "  ]\n  {}\n}}", self.options.gateway_config);
        text
    }
}

fn jetstream(store: &Path) -> String {
    format!(
        "jetstream {{ store_dir: {}, max_memory_store: 256MB, max_file_store: 1GB }}\n",
        quoted(&store.display().to_string())
    )
}

fn accounts(common: &Common) -> String {
    let user =
        |who: &Credentials| format!("{{ user: {}, password: {} }}", quoted(&who.user), quoted(&who.password));
    let enabled = if common.jetstream { "jetstream: enabled, " } else { "" };
    format!(
        "accounts {{\n  SYS {{ users: [{}] }}\n  APP {{ {enabled}users: [{}] }}\n}}\nsystem_account: SYS\n",
        user(&common.system),
        user(&common.app),
    )
}

/// A string of the server's configuration language.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(options: &ServerOptions) -> String {
        let secret = |user: &str| Credentials { user: user.into(), password: "p".into() };
        let common = Common {
            system: secret("sys"),
            app: secret("app"),
            logins: None,
            jetstream: true,
            config: "debug: true".into(),
        };
        let remotes =
            [("west".into(), vec![loopback(7001), loopback(7002)]), ("central".into(), vec![loopback(7003)])];
        ServerConfig {
            key: &ServerKey { cluster: "east".into(), name: "east-1".into() },
            ports: ServerPorts { client: 1, route: 2, gateway: 3 },
            advertise: loopback(7000),
            routes: &[2, 4],
            remotes: &remotes,
            store: "/tmp/store".into(),
            common: &common,
            options,
        }
        .render()
    }

    #[test]
    fn remotes_are_the_proxies_of_the_other_clusters() {
        let text = render(&ServerOptions::default());
        assert!(text.contains("advertise: \"127.0.0.1:7000\""), "{text}");
        assert!(
            text.contains("\"west\", urls: [\"nats://127.0.0.1:7001\", \"nats://127.0.0.1:7002\"]"),
            "{text}"
        );
        assert!(text.contains("\"central\", urls: [\"nats://127.0.0.1:7003\"]"), "{text}");
    }

    #[test]
    fn options_choose_remotes_and_add_text_where_it_belongs() {
        let text = render(&ServerOptions {
            config: "trace: true".into(),
            gateway_config: "reject_unknown_cluster: true".into(),
            remotes: Some(vec!["west".into()]),
            ..ServerOptions::default()
        });
        assert!(!text.contains("central"), "{text}");
        let gateway = text.find("gateway {").unwrap();
        assert!(text[gateway..].contains("  reject_unknown_cluster: true\n}"), "{text}");
        assert!(text.trim_end().ends_with("debug: true\ntrace: true"), "{text}");
    }

    #[test]
    fn quotes_and_backslashes_are_escaped() {
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
    }

    #[test]
    fn a_password_is_not_shown_by_debug() {
        let shown = format!("{:?}", Credentials { user: "sys".into(), password: "secret".into() });
        assert!(shown.contains("sys") && !shown.contains("secret"));
    }
}
