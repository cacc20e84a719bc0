//! The configuration file of one server, as text.

use super::binary::ServerBinary;
use super::ports::loopback;
use crate::model::ids::{ClusterName, ServerKey};
use crate::wire::permission::{Names, Tier, User, conf_block};
use async_nats::ConnectOptions;
use std::collections::BTreeMap;
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

/// The users of the lab's own clients.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) system: Credentials,
    pub(super) app: Credentials,
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
    /// Clusters in the gateway's list of remotes; `None` lists every other cluster that has a server which is no spare.
    pub remotes: Option<Vec<ClusterName>>,
    /// URLs of remotes, in place of the generated ones: other hosts, ports or passwords. A name that is not in the list
    /// is listed besides: a misspelt one, for instance, or the server's own cluster.
    pub remote_urls: BTreeMap<ClusterName, Vec<String>>,
    /// What its gateway port asks of those who dial. Other servers find it in the URLs generated for them from their next
    /// start on; the server itself uses it for URLs without a login (those it learned by gossip, for instance).
    pub gateway_login: Option<Credentials>,
    /// TLS between gateways. URLs are generated with `127.0.0.1`, so that is what certificates must be valid for.
    pub gateway_tls: Option<GatewayTls>,
}

/// TLS of a gateway: what it shows when it is dialled and when it dials, and whom it trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayTls {
    /// File of the certificate, good for servers and for clients: gateways always ask for one from both sides.
    pub cert: PathBuf,
    /// File of its key.
    pub key: PathBuf,
    /// File of the authority that must have signed the other side's.
    pub ca: PathBuf,
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
    /// For whoever watches: with the permissions that are listed for it, and no other.
    pub(super) system: Credentials,
    /// For whoever watches, as above.
    pub(super) app: Credentials,
    /// For the lab's own clients, which may do everything.
    pub(super) own: Own,
    /// What the subjects of the two permission lists are made of.
    pub(super) names: Names,
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
    /// What clients are told instead of the client port.
    pub(super) client_advertise: Option<SocketAddr>,
    /// Route ports of all servers of its cluster, itself included: JetStream wants a route also in a cluster of one,
    /// and a server skips the route to itself.
    pub(super) routes: &'a [u16],
    /// What the gateway lists, each with the URLs at which it is reached.
    pub(super) remotes: &'a BTreeMap<ClusterName, Vec<String>>,
    pub(super) store: PathBuf,
    pub(super) common: &'a Common,
    pub(super) options: &'a ServerOptions,
}

impl Common {
    /// How a client of the system account connects.
    pub(super) fn as_system(&self) -> ConnectOptions {
        self.logins.as_ref().map_or_else(|| with_password(&self.own.system), |logins| logins.system.clone())
    }

    /// How a client of the account with JetStream connects.
    pub(super) fn as_app(&self) -> ConnectOptions {
        self.logins.as_ref().map_or_else(|| with_password(&self.own.app), |logins| logins.app.clone())
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
            self.client_advertise
                .map(|at| format!("client_advertise: {:?}\n", at.to_string()))
                .unwrap_or_default(),
            // A lame duck otherwise waits 10 s before it closes the first client.
            "lame_duck_grace_period: \"100ms\"\n".to_owned(),
            // By default 2 s, which a client on a busy machine may take to log in.
            "authorization { timeout: 10 }\n".to_owned(),
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
        for (cluster, urls) in self.remotes {
            let urls: Vec<String> = urls.iter().map(|url| quoted(url)).collect();
            // Writing to a String cannot fail.
            let _ =
                writeln!(text, "    {{ name: {}, urls: [{}] }}", quoted(cluster.as_str()), urls.join(", "));
        }
        text.push_str("  ]\n");
        text.extend(self.options.gateway_login.as_ref().map(authorization));
        text.extend(self.options.gateway_tls.as_ref().map(tls));
        let _ = writeln!(text, "  {}\n}}", self.options.gateway_config);
        text
    }
}

fn authorization(login: &Credentials) -> String {
    format!("  authorization {{ user: {}, password: {} }}\n", quoted(&login.user), quoted(&login.password))
}

/// With more time than the default of 2 s, which a busy machine with many servers may need.
fn tls(tls: &GatewayTls) -> String {
    let file = |path: &Path| quoted(&path.display().to_string());
    format!(
        "  tls {{ cert_file: {}, key_file: {}, ca_file: {}, timeout: 5 }}\n",
        file(&tls.cert),
        file(&tls.key),
        file(&tls.ca)
    )
}

fn jetstream(store: &Path) -> String {
    format!(
        "jetstream {{ store_dir: {}, max_memory_store: 256MB, max_file_store: 1GB }}\n",
        quoted(&store.display().to_string())
    )
}

fn accounts(common: &Common) -> String {
    let user = |who: &Credentials, permissions: &str| {
        format!("{{ user: {}, password: {}{permissions} }}", quoted(&who.user), quoted(&who.password))
    };
    let listed = |of: User| format!(", {}", conf_block(&common.names.permissions(of, Tier::Creates)));
    let enabled = if common.jetstream { "jetstream: enabled, " } else { "" };
    format!(
        "accounts {{\n  SYS {{ users: [{}, {}] }}\n  APP {{ {enabled}users: [{}, {}] }}\n}}\nsystem_account: SYS\n",
        user(&common.system, &listed(User::System)),
        user(&common.own.system, ""),
        user(&common.app, &listed(User::Alerts)),
        user(&common.own.app, ""),
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
            own: Own { system: secret("lab-sys"), app: secret("lab-app") },
            names: Names::default(),
            logins: None,
            jetstream: true,
            config: "debug: true".into(),
        };
        let urls = |ports: &[u16]| ports.iter().map(|port| format!("nats://{}", loopback(*port))).collect();
        let remotes =
            BTreeMap::from([("west".into(), urls(&[7001, 7002])), ("central".into(), urls(&[7003]))]);
        ServerConfig {
            key: &ServerKey { cluster: "east".into(), name: "east-1".into() },
            ports: ServerPorts { client: 1, route: 2, gateway: 3 },
            advertise: loopback(7000),
            client_advertise: Some(loopback(7777)),
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
    fn options_add_text_where_it_belongs() {
        let text = render(&ServerOptions {
            config: "trace: true".into(),
            gateway_config: "reject_unknown_cluster: true".into(),
            ..ServerOptions::default()
        });
        assert!(text.contains("\nclient_advertise: \"127.0.0.1:7777\"\n"), "{text}");
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
