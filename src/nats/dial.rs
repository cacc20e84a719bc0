//! From addresses to one checked connection into the system account of one cluster.
//!
//! Owns making a connection, the checks it must pass before it is used, and the reason when none could be made. It
//! never makes a second one by itself: the end of a line's subscriptions is the news that it is gone.

use super::connect::{ConnectionEvent, Role};
use super::connect_error::ConnectError;
use super::inbox::new_inbox;
use super::one_life::connect_once;
use super::rights::Rights;
use crate::config::connection::ConnectionSettings;
use crate::model::ask::Survey;
use crate::model::ids::{ClusterName, ServerId};
use crate::model::observation::Disconnect;
use crate::wire::permission::{Capability, User};
use crate::wire::sys::subject;
use async_nats::{Client, ServerAddr, Subject, Subscriber};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// How long the checks of a fresh connection may take.
const CHECK_LIMIT: Duration = Duration::from_secs(2);
/// How long a question may stay unanswered before the next one is asked beside it: our user may not be allowed to ask it.
const NEXT_QUESTION: Duration = Duration::from_millis(300);
/// What a server is asked in the checks: whoever gets any answer is in its system account.
const QUESTIONS: [(Survey, Capability); 3] = [
    (Survey::Stats, Capability::AskStats),
    (Survey::Gateways, Capability::AskGateways),
    (Survey::Config, Capability::AskConfig),
];
/// How long one address behind a host name may take to refuse.
const PROBE_LIMIT: Duration = Duration::from_secs(1);
/// How long an address may stay silent before the next one is tried beside it.
const STAGGER: Duration = Duration::from_millis(200);
/// Events of one connection that wait to be looked at. They are hints: when full, further ones are lost.
const EVENT_ROOM: usize = 64;

/// Everything needed to knock at a cluster's addresses.
#[derive(Debug, Clone)]
pub(super) struct Door {
    /// Credentials and TLS; its servers are not looked at.
    pub(super) settings: ConnectionSettings,
    /// Who knocks.
    pub(super) role: Role,
    /// The inbox that all vantages listen on.
    pub(super) inbox: Arc<str>,
    /// What our users may not do.
    pub(super) rights: Arc<Rights>,
}

/// A connection that passed every check, with all its subscriptions known to the server.
#[derive(Debug)]
pub(super) struct Line {
    /// The connection.
    pub(super) client: Client,
    /// Where it leads.
    pub(super) address: ServerAddr,
    /// The server at its other end.
    pub(super) server: ServerId,
    /// That server's cluster.
    pub(super) cluster: ClusterName,
    /// Its subscriptions. They end when the connection ends.
    pub(super) subscriptions: Vec<Subscriber>,
    /// A subject that only this connection listens on.
    pub(super) echo: Subject,
    /// What the client library reports about it.
    pub(super) events: mpsc::Receiver<ConnectionEvent>,
}

/// Why an address gave no usable connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// There is no connection.
    #[error(transparent)]
    Connect(Box<ConnectError>),
    /// A host name stands for several addresses, and not all of them refuse.
    #[error(
        "{address}: one address behind this name refuses the connection, another stays silent or only just came back"
    )]
    PartlyRefused {
        /// The address.
        address: String,
    },
    /// The connection was made and then did not work.
    #[error("{address}: connected, but the server did not answer within {limit:?}; is it overloaded?")]
    Silent {
        /// The address.
        address: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The login works, and may do nothing of use.
    #[error(
        "{address}: {login} is accepted, but may not {}; either it is not in the system account (`system_account` in the server's \
         configuration), or it must be allowed to hear answers and to ask at least one question: `gatewatch permissions --system` \
         prints all that is needed",
        .refused.join(", nor ")
    )]
    NotPermitted {
        /// The address.
        address: String,
        /// The login, without secrets.
        login: String,
        /// What the server refused.
        refused: Vec<String>,
    },
    /// The connection was made and then broke.
    #[error("{address}: connected, but {message}")]
    Broken {
        /// The address.
        address: String,
        /// What failed.
        message: String,
    },
    /// The login works, but belongs to another account.
    #[error(
        "{address}: {login} is accepted, but not in the system account; gatewatch needs a user of the account that the server's \
         configuration names as `system_account` (often SYS)"
    )]
    NotSystemAccount {
        /// The address.
        address: String,
        /// The login, without secrets.
        login: String,
    },
    /// The address leads into another cluster.
    #[error(
        "{address}: the server belongs to cluster {found:?}, not to {expected:?}; correct the addresses given for {expected:?}"
    )]
    WrongCluster {
        /// The address.
        address: String,
        /// The cluster the address was given for.
        expected: ClusterName,
        /// The cluster it leads into.
        found: ClusterName,
    },
    /// The server belongs to no cluster.
    #[error("{address}: the server belongs to no cluster, so it has no gateways to watch")]
    NoCluster {
        /// The address.
        address: String,
    },
}

impl From<ConnectError> for DialError {
    fn from(error: ConnectError) -> Self {
        Self::Connect(Box::new(error))
    }
}

impl DialError {
    /// What the engine is told.
    #[must_use]
    pub const fn reason(&self) -> Disconnect {
        match self {
            Self::Connect(error) => match **error {
                ConnectError::Refused { .. } => Disconnect::Refused,
                ConnectError::TimedOut { .. } => Disconnect::TimedOut,
                ConnectError::Credentials { .. } | ConnectError::Rejected { .. } => Disconnect::Unauthorized,
                ConnectError::NoServers { .. }
                | ConnectError::Unresolved { .. }
                | ConnectError::Broken { .. } => Disconnect::Other,
                ConnectError::Tls { .. } => Disconnect::Tls,
            },
            Self::PartlyRefused { .. } | Self::Silent { .. } => Disconnect::TimedOut,
            Self::NotSystemAccount { .. } | Self::NotPermitted { .. } => Disconnect::Unauthorized,
            Self::WrongCluster { .. } => Disconnect::WrongCluster,
            Self::Broken { .. } | Self::NoCluster { .. } => Disconnect::Other,
        }
    }

    /// Whether trying again cannot help until a person changed something.
    #[must_use]
    pub const fn needs_a_person(&self) -> bool {
        match self {
            Self::Connect(error) => match **error {
                ConnectError::Credentials { .. }
                | ConnectError::Rejected { .. }
                | ConnectError::Tls { .. } => true,
                ConnectError::NoServers { .. }
                | ConnectError::Unresolved { .. }
                | ConnectError::Refused { .. }
                | ConnectError::TimedOut { .. }
                | ConnectError::Broken { .. } => false,
            },
            Self::NotSystemAccount { .. }
            | Self::NotPermitted { .. }
            | Self::WrongCluster { .. }
            | Self::NoCluster { .. } => true,
            Self::PartlyRefused { .. } | Self::Silent { .. } | Self::Broken { .. } => false,
        }
    }

    /// Whether this host has no way to the address at all, so that the failure says nothing about the other side.
    fn has_no_way(&self) -> bool {
        let Self::Connect(error) = self else { return false };
        let ConnectError::Broken { source, .. } = &**error else { return false };
        let io = source.source().and_then(|cause| cause.downcast_ref::<io::Error>());
        io.is_some_and(|error| error.kind() == io::ErrorKind::NetworkUnreachable)
    }
}

/// The one reason of a pass over all addresses.
///
/// `Refused` is said only when *every* address refused (those aside to which this host has no way), because it is taken as a
/// sign that the processes are gone. A login or a cluster that is wrong somewhere is told before silence elsewhere, because a
/// person can mend it.
pub(super) fn reason(failures: &[DialError]) -> Disconnect {
    let mut telling = failures.iter().filter(|failure| !failure.has_no_way()).peekable();
    if telling.peek().is_some() && telling.all(|failure| failure.reason() == Disconnect::Refused) {
        return Disconnect::Refused;
    }
    [Disconnect::Unauthorized, Disconnect::WrongCluster, Disconnect::Tls, Disconnect::TimedOut]
        .into_iter()
        .find(|reason| failures.iter().any(|failure| failure.reason() == *reason))
        .unwrap_or(Disconnect::Other)
}

impl Door {
    /// Tries all addresses, the next one as soon as one failed or stays silent for [`STAGGER`]; the first usable connection wins.
    pub(super) async fn knock(
        &self,
        addresses: &[ServerAddr],
        expected: Option<&ClusterName>,
    ) -> Result<Line, Vec<DialError>> {
        let mut waiting = addresses.iter();
        let mut trying = FuturesUnordered::new();
        let mut failures = Vec::new();
        loop {
            match waiting.next() {
                Some(address) => trying.push(self.open(address, expected)),
                None if trying.is_empty() => return Err(failures),
                None => {}
            }
            tokio::select! {
                Some(outcome) = trying.next() => match outcome {
                    Ok(line) => return Ok(line),
                    Err(failure) => failures.push(failure),
                },
                () = sleep(STAGGER), if waiting.len() > 0 => {}
            }
        }
    }

    /// Connects to one address and runs the checks.
    pub(super) async fn open(
        &self,
        address: &ServerAddr,
        expected: Option<&ClusterName>,
    ) -> Result<Line, DialError> {
        let (report, mut events) = mpsc::channel(EVENT_ROOM);
        let connected = connect_once(address, &self.settings, &self.role, report).await;
        let client = match connected {
            Ok(client) => client,
            Err(ConnectError::Refused { .. }) if !all_refuse(address).await => {
                return Err(DialError::PartlyRefused { address: shown(address) });
            }
            Err(error) => return Err(error.into()),
        };
        let info = client.server_info();
        let cluster = check_cluster(info.cluster.as_deref(), address, expected)?;
        let server = ServerId::from(info.server_id.as_str());
        let echo = Subject::from(new_inbox(&self.settings.inbox_prefix));
        let checks = async {
            let subscriptions =
                self.subscribe(&client, &echo).await.map_err(|message| broken(address, message))?;
            self.check_account(&client, &server, address).await?;
            Ok::<_, DialError>(subscriptions)
        };
        let subscriptions = match timeout(CHECK_LIMIT, checks).await {
            Ok(passed) => passed?,
            Err(_) => return Err(self.silent(address, &mut events)),
        };
        // What was refused to an earlier connection of this name is history.
        self.rights.ended(&self.role.connection_name());
        Ok(Line { client, address: address.clone(), server, cluster, subscriptions, echo, events })
    }

    /// Subscribes to everything. The server knows all of it once it answers a question asked later on the same connection.
    async fn subscribe(&self, client: &Client, echo: &Subject) -> Result<Vec<Subscriber>, String> {
        let unasked = subject::LISTEN.map(Subject::from_static);
        let mut subscriptions = Vec::with_capacity(unasked.len() + 2);
        for subject in unasked.into_iter().chain([subject::replies(&self.inbox).into(), echo.clone()]) {
            let subscription =
                client.subscribe(subject).await.map_err(|error| format!("cannot subscribe: {error}"))?;
            subscriptions.push(subscription);
        }
        Ok(subscriptions)
    }

    /// Why a server did not answer: because it refuses all that was asked, or the inbox, or for no reason that it gives. Whatever else
    /// it refuses does not explain silence.
    fn silent(&self, address: &ServerAddr, events: &mut mpsc::Receiver<ConnectionEvent>) -> DialError {
        let connection = self.role.connection_name();
        let mut refused: BTreeMap<Capability, String> = BTreeMap::new();
        while let Ok(event) = events.try_recv() {
            let ConnectionEvent::ServerError(error) = event else { continue };
            let refusal = self.rights.refused(User::System, &connection, &error);
            let Some(refusal) = refusal else { continue };
            let Some(capability) = refusal.capability else { continue };
            // The client's own inboxes are known by their beginning only.
            let inbox = format!("{}.>", self.settings.inbox_prefix);
            let subject = if capability == Capability::Answers { inbox } else { refusal.subject };
            refused.entry(capability).or_insert_with(|| format!("{} `{subject}`", refusal.act));
        }
        let all_asked = QUESTIONS.iter().all(|(_, capability)| refused.contains_key(capability));
        let address = shown(address);
        if !all_asked && !refused.contains_key(&Capability::Answers) {
            return DialError::Silent { address, limit: CHECK_LIMIT };
        }
        let explains = |capability: &Capability| {
            *capability == Capability::Answers || QUESTIONS.iter().any(|(_, asked)| asked == capability)
        };
        refused.retain(|capability, _| explains(capability));
        let refused = refused.into_values().collect();
        DialError::NotPermitted { address, login: self.settings.credentials.describe(), refused }
    }

    /// Asks the server itself something: only users of its system account get an answer, everybody else is told that nobody listens
    /// there. Our user may not be allowed to ask every question: what is not answered soon has the next one asked beside it.
    async fn check_account(
        &self,
        client: &Client,
        server: &ServerId,
        address: &ServerAddr,
    ) -> Result<(), DialError> {
        let mut questions: FuturesUnordered<_> = QUESTIONS
            .into_iter()
            .zip(0_u32..)
            .map(|((what, _), place)| async move {
                sleep(NEXT_QUESTION * place).await;
                client.request(subject::request(server, what), bytes::Bytes::new()).await
            })
            .collect();
        let Some(asked) = questions.next().await else { return Ok(()) };
        match asked.map_err(|error| error.kind()) {
            Ok(_) => Ok(()),
            Err(async_nats::RequestErrorKind::NoResponders) => Err(DialError::NotSystemAccount {
                address: shown(address),
                login: self.settings.credentials.describe(),
            }),
            Err(other) => Err(broken(address, format!("cannot ask it a question: {other}"))),
        }
    }
}

/// Whether every address behind a name refuses. The client library tries them in turn and tells of the last one only.
async fn all_refuse(address: &ServerAddr) -> bool {
    let Ok(Ok(found)) = timeout(PROBE_LIMIT, address.socket_addrs()).await else { return false };
    let found: Vec<SocketAddr> = found.collect();
    if found.len() < 2 {
        return true;
    }
    let mut probes: FuturesUnordered<_> =
        found.into_iter().map(|address| timeout(PROBE_LIMIT, TcpStream::connect(address))).collect();
    while let Some(probe) = probes.next().await {
        match probe.map(|connected| connected.map_err(|error| error.kind())) {
            Ok(Err(io::ErrorKind::ConnectionRefused | io::ErrorKind::NetworkUnreachable)) => {}
            Ok(Err(_) | Ok(_)) | Err(_) => return false,
        }
    }
    true
}

fn check_cluster(
    found: Option<&str>,
    address: &ServerAddr,
    expected: Option<&ClusterName>,
) -> Result<ClusterName, DialError> {
    let found = found.filter(|name| !name.is_empty()).map(ClusterName::from);
    let found = found.ok_or_else(|| DialError::NoCluster { address: shown(address) })?;
    match expected {
        Some(expected) if *expected != found => {
            Err(DialError::WrongCluster { address: shown(address), expected: expected.clone(), found })
        }
        Some(_) | None => Ok(found),
    }
}

fn broken(address: &ServerAddr, message: String) -> DialError {
    DialError::Broken { address: shown(address), message }
}

/// One word for a reason, as a label of counters.
pub(super) const fn word(reason: Disconnect) -> &'static str {
    match reason {
        Disconnect::Lost => "lost",
        Disconnect::Refused => "refused",
        Disconnect::TimedOut => "timed_out",
        Disconnect::Unauthorized => "unauthorized",
        Disconnect::WrongCluster => "wrong_cluster",
        Disconnect::Tls => "tls",
        Disconnect::Other => "other",
    }
}

/// `host:port`, without scheme or userinfo.
pub(super) fn shown(address: &ServerAddr) -> String {
    let host = address.host();
    if host.contains(':') {
        format!("[{host}]:{}", address.port())
    } else {
        format!("{host}:{}", address.port())
    }
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
