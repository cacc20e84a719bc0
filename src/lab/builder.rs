//! From a description to running servers.

use super::binary::{FindServerError, Finder, ServerBinary};
use super::config::{Common, Credentials, Logins, Own, ServerOptions, ServerPorts};
use super::control::ControlError;
use super::dialler::Roster;
use super::faults::{Faults, UnknownName, any_client};
use super::guard::Workspace;
use super::ports::{Ports, loopback, password};
use super::proxy::{Context, Proxy};
use super::seat::{Estate, Plan, Seat};
use super::server::{LabServer, Proxies};
use super::supercluster::Supercluster;
use crate::clock::Clock;
use crate::model::ids::{ClusterName, ServerKey, ServerName};
use crate::wire::permission::Names;
use async_nats::ConnectOptions;
use futures::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

/// Names for clusters that need none in particular.
const NAMES: [&str; 8] = ["east", "west", "central", "north", "south", "coast", "island", "ridge"];

/// How often everything is started anew with other ports when somebody else took one.
const ATTEMPTS: usize = 5;

/// Why a supercluster could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no program to run.
    #[error(transparent)]
    Binary(#[from] FindServerError),
    /// No cluster, a cluster without servers, or a name given twice.
    #[error("cannot start this supercluster: {0}")]
    Description(String),
    /// Options were given for a server that is not described.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// The working directory, its guard, or free ports could not be had.
    #[error("cannot prepare a place for the supercluster to run in")]
    Workspace(#[source] io::Error),
    /// A server did not start.
    #[error(transparent)]
    Server(#[from] ControlError),
}

/// Describes a supercluster: clusters, servers, what they run and how they are configured.
#[derive(Debug, Clone)]
pub struct Builder {
    servers: Vec<ServerKey>,
    spares: BTreeSet<ServerName>,
    empty: Option<ClusterName>,
    options: BTreeMap<ServerName, ServerOptions>,
    binary: Option<ServerBinary>,
    config: String,
    logins: Option<Logins>,
    names: Names,
    jetstream: bool,
    client_proxies: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            spares: BTreeSet::new(),
            empty: None,
            options: BTreeMap::new(),
            binary: None,
            config: String::new(),
            logins: None,
            names: Names::default(),
            jetstream: true,
            client_proxies: false,
        }
    }
}

impl Builder {
    /// Adds a cluster with this many servers, named `<cluster>-1`, `<cluster>-2`, ...
    #[must_use]
    pub fn cluster(mut self, name: &str, servers: usize) -> Self {
        if servers == 0 {
            self.empty = Some(name.into());
        }
        self.servers.extend((1..=servers).map(|n| numbered(name, n)));
        self
    }

    /// Lays out this many more servers of a cluster without starting them: their names go on where those described so
    /// far end, and nobody's configuration lists them until they are started ([`LabServer::start`]). Of a cluster that has
    /// no other servers, they make a spare cluster, to be started with [`Supercluster::spares`].
    #[must_use]
    pub fn spare(mut self, cluster: &str, servers: usize) -> Self {
        let own = |key: &ServerKey| key.cluster.as_str() == cluster;
        let first = self.servers.iter().filter(|key| own(key)).count() + 1;
        let end = self.servers.iter().rposition(own).map_or(self.servers.len(), |last| last + 1);
        let keys: Vec<ServerKey> = (first..first + servers).map(|n| numbered(cluster, n)).collect();
        self.spares.extend(keys.iter().map(|key| key.name.clone()));
        self.servers.splice(end..end, keys);
        self
    }

    /// Adds this many clusters (east, west, central, north, ...; at most 8) with this many servers each.
    #[must_use]
    pub fn grid(self, clusters: usize, servers: usize) -> Self {
        NAMES.iter().take(clusters).fold(self, |builder, name| builder.cluster(name, servers))
    }

    /// The program every server runs, unless its options name another. Without this, [`Finder::from_env`] finds one.
    #[must_use]
    pub fn binary(mut self, binary: ServerBinary) -> Self {
        self.binary = Some(binary);
        self
    }

    /// Text appended to the configuration of every server, at top level.
    #[must_use]
    pub fn config(mut self, text: &str) -> Self {
        self.config.push_str(text);
        self.config.push('\n');
        self
    }

    /// Leaves accounts to the text of [`Builder::config`] (operator mode, nkeys, users of a test's own), and has the
    /// lab's own clients connect with these options: with whatever login and TLS the text asks for. Without this the
    /// servers have the accounts `SYS` and `APP`, each with two users whose passwords the lab makes up: one for the lab's
    /// own clients, and one for whoever watches, who may do exactly what [`permission`] lists.
    ///
    /// [`permission`]: crate::wire::permission
    #[must_use]
    pub fn logins(mut self, system: ConnectOptions, app: ConnectOptions) -> Self {
        self.logins = Some(Logins { system, app });
        self
    }

    /// The subject prefix, streams, bucket and inbox prefixes of whoever watches, when they are not the default ones: its users are
    /// allowed no others.
    #[must_use]
    pub fn watched_as(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// What differs for the server of this name.
    #[must_use]
    pub fn server(mut self, name: &str, options: ServerOptions) -> Self {
        self.options.insert(name.into(), options);
        self
    }

    /// Servers without JetStream: they start faster and elect no meta leader.
    #[must_use]
    pub fn without_jetstream(mut self) -> Self {
        self.jetstream = false;
        self
    }

    /// A fault proxy in front of every client port too. Servers advertise these to their clients (INFO, VARZ
    /// `connect_urls`), so a client that was told of one address goes through the proxies to all others:
    /// [`LabServer::proxied_client_url`] and [`Faults::cut_clients`].
    #[must_use]
    pub fn client_proxies(mut self) -> Self {
        self.client_proxies = true;
        self
    }

    /// Finds the program if none was given, and starts all servers. They greet clients on return, and their gateways
    /// connect within the next seconds: see [`Supercluster::ready`].
    ///
    /// # Errors
    /// [`StartError`]; of a server that ended, with the end of its log.
    pub async fn start(mut self) -> Result<Supercluster, StartError> {
        self.check()?;
        let binary = match self.binary.take() {
            Some(binary) => binary,
            None => Finder::from_env().find().await?,
        };
        tracing::debug!(program = %binary.path.display(), version = %binary.version, "starting a supercluster");
        let mut attempts = 1;
        loop {
            match self.attempt(&binary).await {
                Err(StartError::Server(error)) if error.is_port_taken() && attempts < ATTEMPTS => {
                    tracing::debug!(%error, attempts, "a port was taken, starting anew");
                    attempts += 1;
                }
                result => return result,
            }
        }
    }

    fn check(&self) -> Result<(), StartError> {
        if let Some(cluster) = &self.empty {
            return Err(StartError::Description(format!("cluster {cluster} has no server")));
        }
        if self.servers.len() == self.spares.len() {
            return Err(StartError::Description("it has no cluster".to_owned()));
        }
        let mut names = BTreeSet::new();
        for key in &self.servers {
            if !names.insert(&key.name) {
                return Err(StartError::Description(format!("two servers are named {}", key.name)));
            }
        }
        match self.options.keys().find(|name| !names.contains(name)) {
            Some(name) => Err(UnknownName(name.to_string()).into()),
            None => Ok(()),
        }
    }

    async fn attempt(&self, binary: &ServerBinary) -> Result<Supercluster, StartError> {
        let lab = self.lay_out(binary).map_err(StartError::Workspace)?;
        try_join_all(lab.servers().iter().filter(|server| !server.is_spare()).map(LabServer::start)).await?;
        Ok(lab)
    }

    /// Everything but the server processes.
    fn lay_out(&self, binary: &ServerBinary) -> io::Result<Supercluster> {
        let mut ports = Ports::default();
        let seats = self.servers.iter().map(|key| self.seat(key, &mut ports).map(Arc::new));
        let seats = seats.collect::<io::Result<Vec<Arc<Seat>>>>()?;
        let secret = |user: &str| Credentials { user: user.to_owned(), password: password() };
        let estate = Arc::new(Estate {
            workspace: Arc::new(Workspace::create()?),
            roster: Roster::default(),
            binary: binary.clone(),
            common: Common {
                system: secret("sys"),
                app: secret("app"),
                own: Own { system: secret("lab-sys"), app: secret("lab-app") },
                names: self.names.clone(),
                logins: self.logins.clone(),
                jetstream: self.jetstream,
                config: self.config.clone(),
            },
            seats,
            _ports: ports,
        });
        let faults = Faults::new(&self.servers);
        let faults = if self.client_proxies { faults.with_clients() } else { faults };
        let servers = self.proxied(&estate, &faults);
        Ok(Supercluster::new(servers, faults, estate))
    }

    /// The servers, each with the proxies before its ports.
    fn proxied(&self, estate: &Arc<Estate>, faults: &Faults) -> Vec<LabServer> {
        let clock = Clock::start();
        let before = |seat: &Seat, port, dialler| Context {
            target: seat.key.clone(),
            address: loopback(port),
            dialler,
            faults: faults.subscribe(),
            roster: estate.roster.clone(),
            clock,
        };
        let servers = estate.seats.iter().enumerate().map(|(index, seat)| {
            let gateway = Proxy::new(seat.advertise, before(seat, seat.ports.gateway, None));
            let clients = seat
                .client_proxy
                .map(|address| Proxy::new(address, before(seat, seat.ports.client, Some(any_client()))));
            let dir = estate.workspace.path().join(format!("server-{}", index + 1));
            LabServer::new(Arc::clone(seat), dir, Proxies { gateway, clients }, Arc::clone(estate))
        });
        servers.collect()
    }

    fn seat(&self, key: &ServerKey, ports: &mut Ports) -> io::Result<Seat> {
        let own = ServerPorts { client: ports.pick()?, route: ports.pick()?, gateway: ports.pick()? };
        let options = self.options.get(&key.name).cloned().unwrap_or_default();
        let plan = Plan { options, spare: self.spares.contains(&key.name) };
        let client_proxy = if self.client_proxies { Some(loopback(ports.pick()?)) } else { None };
        Ok(Seat::new(key.clone(), own, loopback(ports.pick()?), client_proxy, plan))
    }
}

fn numbered(cluster: &str, n: usize) -> ServerKey {
    ServerKey { cluster: cluster.into(), name: format!("{cluster}-{n}").as_str().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(builder: &Builder) -> String {
        builder.check().unwrap_err().to_string()
    }

    #[test]
    fn descriptions_that_make_no_sense_are_refused_before_anything_starts() {
        assert!(refusal(&Builder::default()).contains("no cluster"));
        assert!(refusal(&Builder::default().cluster("east", 0)).contains("east has no server"));
        assert!(refusal(&Builder::default().cluster("east", 2).cluster("east", 1)).contains("east-1"));
        let stray = Builder::default().cluster("east", 1).server("west-1", ServerOptions::default());
        assert!(refusal(&stray).contains("west-1"));
    }

    #[test]
    fn spare_servers_go_on_counting_and_stand_with_their_cluster() {
        let builder = Builder::default().grid(2, 1).spare("east", 2).spare("coast", 1);
        let names: Vec<&str> = builder.servers.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(names, ["east-1", "east-2", "east-3", "west-1", "coast-1"]);
        assert_eq!(builder.spares.len(), 3);
        assert!(refusal(&Builder::default().spare("east", 1)).contains("no cluster"));
    }

    #[test]
    fn a_grid_uses_the_default_names() {
        let names: Vec<String> =
            Builder::default().grid(3, 2).servers.iter().map(ToString::to_string).collect();
        assert_eq!(names[0], "east/east-1");
        assert_eq!(names[5], "central/central-2");
    }
}
