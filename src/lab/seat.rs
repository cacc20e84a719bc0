//! The places of a lab's servers, what is planned for each, and what follows from that for the files of the others.

use super::binary::ServerBinary;
use super::config::{Common, Credentials, ServerConfig, ServerOptions, ServerPorts};
use super::dialler::Roster;
use super::guard::Workspace;
use super::ports::Ports;
use crate::model::ids::{ClusterName, ServerKey};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The place of a server in the supercluster; the same in all its lives.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) key: ServerKey,
    pub(super) ports: ServerPorts,
    /// Where the proxy of its gateway port listens.
    pub(super) advertise: SocketAddr,
    /// Where the proxy of its client port listens, if it has one.
    pub(super) client_proxy: Option<SocketAddr>,
    plan: Mutex<Plan>,
}

/// What holds from the next start on.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) options: ServerOptions,
    /// A spare server is in nobody's list of routes or remotes.
    pub(super) spare: bool,
}

impl Seat {
    pub(super) fn new(
        key: ServerKey,
        ports: ServerPorts,
        advertise: SocketAddr,
        client_proxy: Option<SocketAddr>,
        plan: Plan,
    ) -> Self {
        Self { key, ports, advertise, client_proxy, plan: Mutex::new(plan) }
    }

    pub(super) fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The URL under which other clusters list it, with the login that its gateway asks for.
    pub(super) fn gateway_url(&self) -> String {
        let login = self.plan().options.gateway_login.as_ref().map(user_info).unwrap_or_default();
        format!("nats://{login}{}", self.advertise)
    }
}

fn user_info(login: &Credentials) -> String {
    format!("{}:{}@", escaped(&login.user), escaped(&login.password))
}

/// Everything but letters and digits percent-encoded, so that any password fits into a URL.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() {
            escaped.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

/// What the servers of a lab share.
#[derive(Debug)]
pub(super) struct Estate {
    pub(super) workspace: Arc<Workspace>,
    pub(super) roster: Roster,
    pub(super) binary: ServerBinary,
    pub(super) common: Common,
    pub(super) seats: Vec<Arc<Seat>>,
    /// The ports of all of it, so that no other lab picks them.
    pub(super) _ports: Ports,
}

impl Estate {
    /// The configuration file of a server as things stand now. `dir` is its directory.
    pub(super) fn config(&self, seat: &Seat, dir: &Path) -> String {
        let own = &seat.key.cluster;
        let routes: Vec<u16> =
            self.listed().filter(|other| other.key.cluster == *own).map(|other| other.ports.route).collect();
        let options = seat.plan().options.clone();
        ServerConfig {
            key: &seat.key,
            ports: seat.ports,
            advertise: seat.advertise,
            client_advertise: seat.client_proxy,
            routes: &routes,
            remotes: &self.remotes(own, &options),
            store: dir.join("jetstream"),
            common: &self.common,
            options: &options,
        }
        .render()
    }

    fn listed(&self) -> impl Iterator<Item = &Arc<Seat>> {
        self.seats.iter().filter(|seat| !seat.plan().spare)
    }

    /// The remotes that a server of `own` lists, each with its URLs.
    fn remotes(&self, own: &ClusterName, options: &ServerOptions) -> BTreeMap<ClusterName, Vec<String>> {
        let mut remotes: BTreeMap<ClusterName, Vec<String>> = BTreeMap::new();
        for seat in self.listed().filter(|seat| seat.key.cluster != *own) {
            remotes.entry(seat.key.cluster.clone()).or_default().push(seat.gateway_url());
        }
        if let Some(wanted) = &options.remotes {
            remotes.retain(|cluster, _| wanted.contains(cluster));
        }
        remotes.extend(options.remote_urls.clone());
        remotes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::binary::PINNED_VERSION;
    use crate::lab::config::Own;
    use crate::lab::ports::loopback;
    use crate::wire::permission::Names;

    fn seat(cluster: &str, port: u16, spare: bool) -> Arc<Seat> {
        let key = ServerKey { cluster: cluster.into(), name: format!("{cluster}-{port}").as_str().into() };
        let ports = ServerPorts { client: port, route: port + 1, gateway: port + 2 };
        let plan = Plan { options: ServerOptions::default(), spare };
        Arc::new(Seat::new(key, ports, loopback(port + 3), None, plan))
    }

    fn estate(seats: Vec<Arc<Seat>>) -> Estate {
        let nobody = Credentials { user: String::new(), password: String::new() };
        let common = Common {
            system: nobody.clone(),
            app: nobody.clone(),
            own: Own { system: nobody.clone(), app: nobody },
            names: Names::default(),
            logins: None,
            jetstream: false,
            config: String::new(),
        };
        Estate {
            workspace: Arc::new(Workspace::create().unwrap()),
            roster: Roster::default(),
            binary: ServerBinary { path: "nats-server".into(), version: PINNED_VERSION },
            common,
            seats,
            _ports: Ports::default(),
        }
    }

    #[test]
    fn a_spare_server_is_in_nobodys_lists_until_it_is_no_spare_any_more() {
        let estate = estate(vec![seat("east", 100, false), seat("east", 200, true), seat("west", 300, true)]);
        let text = |at: usize| estate.config(&estate.seats[at], Path::new("/tmp"));
        assert!(!text(0).contains(":201") && !text(0).contains("west"), "{}", text(0));
        for seat in &estate.seats {
            seat.plan().spare = false;
        }
        assert!(text(0).contains("nats-route://127.0.0.1:201"), "{}", text(0));
        assert!(text(0).contains("\"west\", urls: [\"nats://127.0.0.1:303\"]"), "{}", text(0));
        assert!(text(2).contains("[\"nats://127.0.0.1:103\", \"nats://127.0.0.1:203\"]"), "{}", text(2));
    }

    #[test]
    fn urls_carry_the_login_that_the_dialled_gateway_asks_for() {
        let estate = estate(vec![seat("east", 100, false), seat("west", 300, false)]);
        let login = Credentials { user: "gate".into(), password: "p@ss/1".into() };
        estate.seats[1].plan().options.gateway_login = Some(login);
        let east = estate.config(&estate.seats[0], Path::new("/tmp"));
        assert!(east.contains("\"nats://gate:p%40ss%2F1@127.0.0.1:303\""), "{east}");
        assert!(!east.contains("authorization { user"), "{east}");
        let west = estate.config(&estate.seats[1], Path::new("/tmp"));
        assert!(west.contains("authorization { user: \"gate\", password: \"p@ss/1\" }"), "{west}");
    }

    #[test]
    fn given_urls_replace_the_generated_ones_and_may_name_a_remote_that_does_not_exist() {
        let estate = estate(vec![seat("east", 100, false), seat("west", 300, false)]);
        let urls = |url: &str| vec![url.to_owned()];
        estate.seats[0].plan().options.remote_urls = BTreeMap::from([
            ("west".into(), urls("nats://no-such-host.invalid:7222")),
            ("wset".into(), urls("nats://127.0.0.1:303")),
        ]);
        let text = estate.config(&estate.seats[0], Path::new("/tmp"));
        assert!(text.contains("\"west\", urls: [\"nats://no-such-host.invalid:7222\"]"), "{text}");
        assert!(text.contains("\"wset\", urls: [\"nats://127.0.0.1:303\"]"), "{text}");

        estate.seats[0].plan().options.remotes = Some(Vec::new());
        estate.seats[0].plan().options.remote_urls.clear();
        let text = estate.config(&estate.seats[0], Path::new("/tmp"));
        assert!(!text.contains("west"), "{text}");
    }
}
